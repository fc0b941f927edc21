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
  return detail === undefined
    ? { item, largestError, tolerance, pass }
    : { item, largestError, tolerance, pass, detail };
}

export function relativeError(found: number, expected: number): number {
  const error = largestDifference([found], [expected]);
  return expected === 0 ? error : error / Math.abs(expected);
}

/** The worst of many comparisons, for one line. */
export class Worst {
  private error = -1;
  private name = '';
  count = 0;

  add(name: string, error: number): void {
    this.count++;
    if (error > this.error) [this.error, this.name] = [error, name];
  }

  item(title: string, tolerance: number, remark: string): VerifyItem {
    if (this.count === 0)
      return { item: title, largestError: Infinity, tolerance, pass: false, detail: 'nothing was compared' };
    return toleranceItem(`${title} (worst of ${this.count})`, this.error, tolerance, `${remark}; worst: ${this.name}`);
  }
}

export class Mismatches {
  private compared = 0;
  private count = 0;
  private first: string | null = null;

  constructor(private readonly name: string) {}

  compare(what: string, found: string | number, expected: string | number): void {
    this.add(what, found === expected ? 0 : 1, `${String(found)}, expected ${String(expected)}`);
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
