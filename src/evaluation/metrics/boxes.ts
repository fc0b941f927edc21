/** Comprehension from masks (GSVA, table 3): the predicted mask's box against the target's; a rejection has none. */
import type { BinaryMask } from '../../types.js';

/** [xMin, yMin, xMax, yMax] in pixels, max exclusive. */
export type Box = readonly [number, number, number, number];

/** A hit has an IoU greater than this (Prec@0.5). */
export const HIT_ABOVE = 0.5;

/** The smallest box around a mask, null when it is empty. */
export function boxOfMask(mask: BinaryMask | null): Box | null {
  if (mask === null) return null;
  let xMin = mask.width;
  let yMin = mask.height;
  let xMax = 0;
  let yMax = 0;
  for (let y = 0; y < mask.height; y++) {
    for (let x = 0; x < mask.width; x++) {
      if (mask.data[y * mask.width + x] === 0) continue;
      xMin = Math.min(xMin, x);
      xMax = Math.max(xMax, x + 1);
      yMin = Math.min(yMin, y);
      yMax = y + 1;
    }
  }
  return xMax === 0 ? null : [xMin, yMin, xMax, yMax];
}

/** Intersection over union of two boxes, in [0, 1]. */
export function boxIou(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const intersection = width * height;
  return intersection / (boxArea(a) + boxArea(b) - intersection);
}

function boxArea(box: Box): number {
  return (box[2] - box[0]) * (box[3] - box[1]);
}
