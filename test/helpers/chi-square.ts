/** Pearson's chi-square test of counts against expected shares. */

/** Σ (observed − expected)² / expected. */
export function chiSquare(counts: readonly number[], shares: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const whole = shares.reduce((sum, share) => sum + share, 0);
  return counts.reduce((sum, count, i) => {
    const expected = (total * (shares[i] as number)) / whole;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
}

/**
 * What the statistic exceeds with probability 0.001 where the shares are true (Wilson and Hilferty's approximation:
 * within 1 % of the tables, such as 16.27 for 3 degrees of freedom, 149.4 for 100).
 */
export function criticalValue(degrees: number): number {
  const z = 3.0902;
  const a = 2 / (9 * degrees);
  return degrees * (1 - a + z * Math.sqrt(a)) ** 3;
}
