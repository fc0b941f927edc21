/**
 * Wrong pixels that concern the contour alone: those within `reach` (square window) of the target, or of the outside.
 * The rest is the error that remains when the target is dilated and eroded by `reach`.
 */
import type { BinaryMask } from '../../types.js';
import { SummedArea } from './summed-area.js';

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
