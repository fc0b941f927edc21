/**
 * Pixel counts of a predicted mask against its ground truth (reference: `intersectionAndUnionGPU`, foreground only); and
 * comprehension from masks (GSVA, table 3): the predicted mask's box against the target's; a rejection has none.
 */
import { UserError } from '../../errors.js';
import type { BinaryMask, Box } from '../../types.js';

/** Areas in pixels. */
export interface MaskOverlap {
  readonly intersection: number;
  readonly union: number;
  readonly predictedArea: number;
  readonly targetArea: number;
}

/** @param prediction null counts as empty @param ignored pixels left out @throws UserError when masks differ in size */
export function maskOverlap(prediction: BinaryMask | null, target: BinaryMask, ignored?: BinaryMask): MaskOverlap {
  checkSizes(prediction, target);
  checkSizes(ignored ?? null, target);
  let intersection = 0;
  let predictedArea = 0;
  let targetArea = 0;
  for (let pixel = 0; pixel < target.data.length; pixel++) {
    if (ignored !== undefined && ignored.data[pixel] !== 0) continue;
    const predicted = prediction !== null && prediction.data[pixel] !== 0;
    const wanted = target.data[pixel] !== 0;
    if (predicted) predictedArea++;
    if (wanted) targetArea++;
    if (predicted && wanted) intersection++;
  }
  return { intersection, union: predictedArea + targetArea - intersection, predictedArea, targetArea };
}

/** Pixels inside; 0 of no mask. */
export function maskArea(mask: BinaryMask | null): number {
  let area = 0;
  for (const value of mask?.data ?? []) if (value !== 0) area++;
  return area;
}

/** Intersection over union, 0 where both masks are empty. */
export function iouOf(overlap: MaskOverlap): number {
  return overlap.union === 0 ? 0 : overlap.intersection / overlap.union;
}

/** a / b, null where there is nothing to divide by: a mean over no expressions is not a number to print. */
export function ratio(numerator: number, denominator: number): number | null {
  return denominator === 0 ? null : numerator / denominator;
}

function checkSizes(prediction: BinaryMask | null, target: BinaryMask): void {
  const area = target.height * target.width;
  if (target.data.length !== area) {
    throw new UserError(
      `Measuring a mask: the target says ${target.height}×${target.width} but holds ${target.data.length} pixels.`,
    );
  }
  if (prediction === null) return;
  const { height, width, data } = prediction;
  if (height !== target.height || width !== target.width || data.length !== area) {
    throw new UserError(
      `Measuring a mask: the prediction is ${height}×${width} (${data.length} pixels), ` +
        `the target ${target.height}×${target.width}. Bring the prediction to the size of the image first.`,
    );
  }
}

/** A hit has an IoU greater than this (Prec@0.5). */
export const HIT_ABOVE = 0.5;

/** The smallest box around a mask, null when it is empty. */
export function boxOfMask(mask: BinaryMask | null): Box | null {
  if (mask === null) return null;
  let [xMin, yMin, xMax, yMax] = [mask.width, mask.height, 0, 0];
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

/** Intersection over union of two boxes, in [0, 1]; 0 where there is none. */
export function boxIou(a: Box | null, b: Box | null): number {
  if (a === null || b === null) return 0;
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const intersection = width * height;
  const areaOf = ([xMin, yMin, xMax, yMax]: Box): number => (xMax - xMin) * (yMax - yMin);
  return intersection / (areaOf(a) + areaOf(b) - intersection);
}
