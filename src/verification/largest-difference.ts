/** How far numbers are from recorded ones. */
import type { VerifyItem } from './verify-item.js';

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
