/**
 * Recorded targets and logits as overlaps, and the figures of LISA's validation, which SELF1E shares, against recorded
 * ones. In a target 1 is inside, 255 ignored, and any other value outside: the references add polygons that overlap, so
 * that pixels of both are 2.
 */
import type { JsonPlace } from '../data/annotation-files.js';
import { lisaFigures } from '../evaluation/figures.js';
import { type MaskOverlap, maskOverlap } from '../evaluation/metrics/mask-overlap.js';
import type { MaskLogits } from '../inference/draw-masks.js';
import { binaryMask } from '../inference/segment-result.js';
import type { BinaryMask } from '../types.js';
import type { VerifyItem } from './verify-item.js';

const TOLERANCE = 1e-6;
const IGNORED = 255;

/** @param target values as recorded, of the logits' size; the mask is where logits are above 0 */
export function recordedOverlap(target: Uint8Array, logits: MaskLogits): MaskOverlap {
  const { height, width } = logits;
  const where = (value: number): BinaryMask => {
    return { data: target.map((found) => Number(found === value)), height, width };
  };
  return maskOverlap(binaryMask(logits, 'logit > 0'), where(1), where(IGNORED));
}

/** Largest difference between computed and recorded figures. */
export class LargestFigureError {
  private largest = 0;
  private detail = '';

  constructor(private readonly name: string) {}

  compare(what: string, overlaps: readonly MaskOverlap[], recorded: JsonPlace): void {
    for (const [figure, value] of Object.entries(lisaFigures(overlaps))) {
      const key = figure.toLowerCase();
      const found = value ?? NaN;
      const expected = recorded.key(key).number();
      const error = Math.abs(found - expected);
      if (error < this.largest && this.detail !== '') continue;
      this.largest = error;
      this.detail = `${key} of ${what}: ${found.toFixed(7)}, expected ${expected.toFixed(7)}`;
    }
  }

  item(): VerifyItem {
    const pass = this.detail !== '' && this.largest <= TOLERANCE;
    return { item: this.name, largestError: this.largest, tolerance: TOLERANCE, pass, detail: this.detail };
  }
}
