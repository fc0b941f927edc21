/** Counting what differs from a recording, for things that must be equal. */
import type { VerifyItem } from './verify-item.js';

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
