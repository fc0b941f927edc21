/** Numbers that are none: NaN and infinities, found fast enough to look for them always. */

/** The number of values that are not finite, and the first of them. */
export interface NotFinite {
  readonly nan: number;
  readonly infinite: number;
  /** Its position among all, in row-major order. */
  readonly first: number;
  /** The number of all values. */
  readonly size: number;
}

/** Numbers added up between two looks at the sums. */
const BLOCK = 2 ** 12;

/** Index of the first number that is NaN or infinite; -1 where all are finite. A nanosecond for two numbers. */
export function firstNotFinite(values: Float32Array): number {
  for (let start = 0; start < values.length; start += BLOCK) {
    const end = Math.min(values.length, start + BLOCK);
    // x - x is 0 for a finite x, else NaN, which no sum loses. Four sums, so that none waits for the one before.
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let i = start;
    for (; i + 3 < end; i += 4) {
      const w = values[i] as number;
      const x = values[i + 1] as number;
      const y = values[i + 2] as number;
      const z = values[i + 3] as number;
      a += w - w;
      b += x - x;
      c += y - y;
      d += z - z;
    }
    for (; i < end; i++) a += (values[i] as number) - (values[i] as number);
    if (a + b + c + d !== 0) return start + values.subarray(start, end).findIndex((value) => !Number.isFinite(value));
  }
  return -1;
}

/** Counts and place of the numbers that are not finite; null where all are. */
export function findNotFinite(values: Float32Array): NotFinite | null {
  const first = firstNotFinite(values);
  if (first < 0) return null;
  let [nan, infinite] = [0, 0];
  for (const value of values.subarray(first)) {
    if (Number.isNaN(value)) nan++;
    else if (!Number.isFinite(value)) infinite++;
  }
  return { nan, infinite, first, size: values.length };
}

/** "1 NaN and 2 infinite ones", "3 NaN". */
export function countsText({ nan, infinite }: Pick<NotFinite, 'nan' | 'infinite'>): string {
  return [nan > 0 && `${nan} NaN`, infinite > 0 && `${infinite} infinite`].filter(Boolean).join(' and ');
}

/** Indices of a number in a tensor of this shape, "[3, 0]"; "[]" of a scalar. */
export function placeText(index: number, shape: readonly number[]): string {
  const place: number[] = [];
  let rest = index;
  for (const size of [...shape].reverse()) {
    place.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return `[${place.join(', ')}]`;
}

/** A stored tensor with numbers that are not finite. */
export interface NotFiniteTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly found: NotFinite;
}
