/** One line of `gsva verify`: how far a part of this project is from the recorded reference. */
export interface VerifyItem {
  readonly item: string;
  /** Largest difference found; for exact things the number of mismatches. */
  readonly largestError: number;
  readonly tolerance: number;
  readonly pass: boolean;
  /** Where the first difference is, or what was compared. */
  readonly detail?: string;
}

/** Largest absolute difference; Infinity where the lengths differ or anything is not a number. */
export function largestDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < found.length; i++) {
    const difference = Math.abs((found[i] as number) - (expected[i] as number));
    if (Number.isNaN(difference)) return Infinity;
    if (difference > largest) largest = difference;
  }
  return largest;
}

export function largestMagnitude(values: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i] as number));
  return largest;
}

/** An item that passes within its tolerance. */
export function toleranceItem(item: string, largestError: number, tolerance: number, detail?: string): VerifyItem {
  const pass = largestError <= tolerance;
  return { item, largestError, tolerance, pass, ...(detail === undefined ? {} : { detail }) };
}

export function relativeError(found: number, expected: number): number {
  const error = largestDifference([found], [expected]);
  return expected === 0 ? error : error / Math.abs(expected);
}

/** The items of many comparisons, one each. */
export function itemsOf(...comparisons: readonly { item(): VerifyItem }[]): VerifyItem[] {
  return comparisons.map((comparison) => comparison.item());
}

/** The worst of many comparisons, for one line. */
export class Worst {
  private error = -1;
  private name = '';
  count = 0;

  constructor(
    private readonly title: string,
    private readonly tolerance: number,
    private readonly remark: string,
  ) {}

  add(name: string, error: number): void {
    this.count++;
    if (error > this.error) [this.error, this.name] = [error, name];
  }

  item(): VerifyItem {
    const { title, tolerance, remark, count } = this;
    if (count === 0) return toleranceItem(title, Infinity, tolerance, 'nothing was compared');
    return toleranceItem(`${title} (worst of ${count})`, this.error, tolerance, `${remark}; worst: ${this.name}`);
  }
}

/** Compared exactly; numbers in a list as a text. */
type Exact = string | number | ArrayLike<number>;

/** The number of differences between things that are to be equal, for one line. */
export class Mismatches {
  private compared = 0;
  private count = 0;
  private first: string | null = null;

  constructor(private readonly name: string) {}

  compare(what: string, found: Exact, expected: Exact): void {
    const [a, b] = [found, expected].map((value) => (typeof value === 'object' ? Array.from(value).join(' ') : value));
    this.add(what, a === b ? 0 : 1, `${String(a)}, expected ${String(b)}`);
  }

  /** `errors` differences at once, such as pixels. */
  add(what: string, errors: number, difference: string): void {
    this.compared++;
    this.count += errors;
    if (errors > 0) this.first ??= `${shortened(what)}: ${shortened(difference)}`;
  }

  item(): VerifyItem {
    // A recording with nothing to compare proves nothing.
    const pass = this.count === 0 && this.compared > 0;
    const detail = this.first ?? (pass ? `${this.compared} compared` : 'the recording has nothing to compare');
    return { item: this.name, largestError: this.count, tolerance: 0, pass, detail };
  }
}

function shortened(text: string): string {
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
}
