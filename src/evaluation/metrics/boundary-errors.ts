/**
 * How many of a mask's wrong pixels are a matter of the contour alone. A pixel that was drawn but should not be is one
 * when the target is at most `reach` pixels away, a pixel that is missing when the outside is; distances are those of
 * a square window, so this is what remains of the error when the target is dilated and eroded by `reach`.
 */
import type { BinaryMask } from '../../types.js';

/** "A few pixels": 0.5 % of the image's diagonal, at least 1; 4 in COCO's images of 640 × 480. */
export function boundaryReach({ height, width }: { readonly height: number; readonly width: number }): number {
  return Math.max(1, Math.round(0.005 * Math.hypot(height, width)));
}

/** Wrong pixels of `prediction` near the contour of `target`, of the same size. */
export function boundaryErrors(prediction: BinaryMask, target: BinaryMask, reach = boundaryReach(target)): number {
  const { height, width } = target;
  const sums = summedArea(target);
  const row = width + 1;
  let errors = 0;
  for (let y = 0; y < height; y++) {
    const [top, bottom] = [Math.max(0, y - reach) * row, Math.min(height, y + reach + 1) * row];
    for (let x = 0; x < width; x++) {
      const wanted = target.data[y * width + x] !== 0;
      if ((prediction.data[y * width + x] !== 0) === wanted) continue;
      const [left, right] = [Math.max(0, x - reach), Math.min(width, x + reach + 1)];
      const inside =
        (sums[bottom + right] as number) -
        (sums[bottom + left] as number) -
        (sums[top + right] as number) +
        (sums[top + left] as number);
      const pixels = ((bottom - top) / row) * (right - left);
      if (wanted ? inside < pixels : inside > 0) errors++;
    }
  }
  return errors;
}

/** [height + 1, width + 1]: how many pixels above and to the left are inside. */
function summedArea({ data, height, width }: BinaryMask): Uint32Array {
  const row = width + 1;
  const sums = new Uint32Array((height + 1) * row);
  for (let y = 0; y < height; y++) {
    let line = 0;
    for (let x = 0; x < width; x++) {
      if (data[y * width + x] !== 0) line++;
      sums[(y + 1) * row + x + 1] = (sums[y * row + x + 1] as number) + line;
    }
  }
  return sums;
}
