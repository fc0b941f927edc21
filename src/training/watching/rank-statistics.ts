/** Statistics of noisy curves that know nothing of their scale. */

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = NaN, high = NaN] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}

/** Rank test of Mann & Whitney (1947), normal approximation with ties: small where `values` are below `others`. */
export function chanceOfLower(values: readonly number[], others: readonly number[]): number {
  const all = [...values.map((value) => ({ value, own: 1 })), ...others.map((value) => ({ value, own: 0 }))];
  all.sort((a, b) => a.value - b.value);
  const [n, m, size] = [values.length, others.length, all.length];
  let ranks = 0;
  let ties = 0;
  for (let first = 0; first < size;) {
    let end = first + 1;
    while (end < size && all[end]?.value === all[first]?.value) end++;
    const rank = (first + 1 + end) / 2;
    for (let i = first; i < end; i++) ranks += (all[i]?.own ?? 0) * rank;
    ties += (end - first) ** 3 - (end - first);
    first = end;
  }
  const u = ranks - (n * (n + 1)) / 2;
  const variance = ((n * m) / 12) * (size + 1 - ties / (size * (size - 1)));
  if (variance <= 0) return 1;
  return normalBelow((u + 0.5 - (n * m) / 2) / Math.sqrt(variance));
}

/** Φ, to 1e-7 (Abramowitz & Stegun, 26.2.17). */
function normalBelow(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const sum = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * sum;
  return z < 0 ? tail : 1 - tail;
}
