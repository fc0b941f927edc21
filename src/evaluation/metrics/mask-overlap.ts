/**
 * Pixel counts of a predicted mask against its ground truth (reference: `intersectionAndUnionGPU`, foreground only).
 */
import { UserError } from '../../errors.js';
import type { BinaryMask } from '../../types.js';

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

const PER_MASK = 1e-5;
const PER_SUM = 1e-10;
/** The reference's meter adds it to the number of masks. */
const PER_COUNT = 1e-5;

interface LisaFigures {
  readonly gIoU: number;
  readonly cIoU: number;
}

/**
 * LISA's validation (`validate` of train_ds.py), on masks with logits above 0: gIoU is the mean of intersection /
 * (union + 1e-5), plus 1 where the union is empty, cIoU is Σ intersection / (Σ union + 1e-10).
 * @param overlaps of all masks, ignored pixels left out of them
 */
export function lisaFigures(overlaps: readonly Pick<MaskOverlap, 'intersection' | 'union'>[]): LisaFigures {
  let [iou, intersections, unions] = [0, 0, 0];
  for (const { intersection, union } of overlaps) {
    iou += intersection / (union + PER_MASK) + (union === 0 ? 1 : 0);
    intersections += intersection;
    unions += union;
  }
  // The reference gathers its sums in float32.
  const [iouSum, intersectionSum, unionSum] = [iou, intersections, unions].map(Math.fround) as [number, number, number];
  return { gIoU: iouSum / (overlaps.length + PER_COUNT), cIoU: intersectionSum / (unionSum + PER_SUM) };
}
