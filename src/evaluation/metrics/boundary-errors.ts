/**
 * How many of a mask's wrong pixels are a matter of the contour alone. A pixel that was drawn but should not be is one
 * when the target is at most `reach` pixels away, a pixel that is missing when the outside is; distances are those of
 * a square window, so this is what remains of the error when the target is dilated and eroded by `reach`.
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
