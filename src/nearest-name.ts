/** "Did you mean …?" for mistyped names: options, commands, configuration keys, splits. */

/** Number of single-character edits (insert, delete, replace, swap two neighbours) that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? at(beforeLast, j - 2) + 1 : Infinity;
      current.push(Math.min(replaced, swapped, at(last, j) + 1, at(current, j - 1) + 1));
    }
    beforeLast = last;
    last = current;
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] as number;
}

/** Letters from which on the beginning of a name is taken for the name. */
const SHORTEST_BEGINNING = 3;

/**
 * The known name closest to `name` (letter case ignored), or the only one that begins with it; null when none is close
 * enough to be what was meant.
 */
export function nearestName(name: string, known: Iterable<string>): string | null {
  if (name.length > 64) return null;
  const names = [...known];
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  if (best !== null || name.length < SHORTEST_BEGINNING) return best;
  // `seg` is `segment`; `ref` is neither `refcoco` nor `refzom`.
  const [first, ...others] = names.filter((candidate) => candidate.toLowerCase().startsWith(name.toLowerCase()));
  return others.length === 0 ? (first ?? null) : null;
}

/** ` (did you mean "x"?)` to append to an error message, or '' when nothing is near. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const nearest = nearestName(name, known);
  return nearest === null ? '' : ` (did you mean "${nearest}"?)`;
}
