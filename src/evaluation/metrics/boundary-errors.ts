/**
 * Wrong pixels that concern the contour alone: those within `reach` (square window) of the target, or of the outside.
 * The rest is the error that remains when the target is dilated and eroded by `reach`.
 */
import type { BinaryMask } from '../../types.js';

/** Pixels inside of a window of a mask, at one cost for any size (summed-area table). */
export class SummedArea {
  private readonly height: number;
  private readonly width: number;
  /** [height + 1, width + 1]: how many pixels above and to the left are inside. */
  private readonly sums: Uint32Array;

  constructor({ data, height, width }: BinaryMask) {
    this.height = height;
    this.width = width;
    const row = width + 1;
    this.sums = new Uint32Array((height + 1) * row);
    for (let y = 0; y < height; y++) {
      let line = 0;
      for (let x = 0; x < width; x++) {
        if (data[y * width + x] !== 0) line++;
        this.sums[(y + 1) * row + x + 1] = (this.sums[y * row + x + 1] as number) + line;
      }
    }
  }

  /** Whether all pixels at most `reach` away (in rows and in columns), as far as the mask goes, are of one kind. */
  isUniform(y: number, x: number, reach: number): boolean {
    const top = y < reach ? 0 : y - reach;
    const left = x < reach ? 0 : x - reach;
    const bottom = y + reach < this.height ? y + reach + 1 : this.height;
    const right = x + reach < this.width ? x + reach + 1 : this.width;
    const row = this.width + 1;
    const inside =
      (this.sums[bottom * row + right] as number) -
      (this.sums[bottom * row + left] as number) -
      (this.sums[top * row + right] as number) +
      (this.sums[top * row + left] as number);
    return inside === 0 || inside === (bottom - top) * (right - left);
  }
}

/** "A few pixels": 0.5 % of the image's diagonal, at least 1; 4 in COCO's images of 640 × 480. */
export function boundaryReach({ height, width }: { readonly height: number; readonly width: number }): number {
  return Math.max(1, Math.round(0.005 * Math.hypot(height, width)));
}

/** Wrong pixels of `prediction` near the contour of `target`, of the same size. */
export function boundaryErrors(prediction: BinaryMask, target: BinaryMask, reach = boundaryReach(target)): number {
  const { height, width } = target;
  const area = new SummedArea(target);
  let errors = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const pixel = y * width + x;
      const isWrong = (prediction.data[pixel] !== 0) !== (target.data[pixel] !== 0);
      if (isWrong && !area.isUniform(y, x, reach)) errors++;
    }
  }
  return errors;
}
