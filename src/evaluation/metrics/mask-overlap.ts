/**
 * Pixel counts of a predicted mask against its ground truth: all that every metric of this folder needs.
 * Counterpart of `intersectionAndUnionGPU` in the reference's solver.py, for the foreground class alone.
 */
import { UserError } from '../../errors.js';
import type { BinaryMask, LogitRule } from '../../types.js';

/** Mask logits at the image's size, row-major: positive is inside. `data.length === height * width`. */
export interface MaskLogits {
  readonly data: Float32Array;
  readonly height: number;
  readonly width: number;
}

/** What was predicted for an expression: a decided mask, logits that a metric decides, or no mask at all. */
export type PredictedMask = BinaryMask | MaskLogits | null;

/** Areas in pixels. */
export interface MaskOverlap {
  readonly intersection: number;
  readonly union: number;
  readonly predictedArea: number;
  readonly targetArea: number;
}

/** A test of one pixel of the prediction: inside or not. A binary mask is taken as it is. */
export function insideTest(prediction: PredictedMask, rule: LogitRule): (pixel: number) => boolean {
  if (prediction === null) return () => false;
  const { data } = prediction;
  if (data instanceof Uint8Array) return (pixel) => data[pixel] !== 0;
  // Comparisons with NaN are false: such a pixel is outside, as in PyTorch.
  if (rule === 'logit >= 0') return (pixel) => (data[pixel] as number) >= 0;
  return (pixel) => (data[pixel] as number) > 0;
}

/**
 * Counts the pixels; a prediction of null counts as an empty mask.
 * @throws UserError when the two masks differ in size.
 */
export function maskOverlap(
  prediction: PredictedMask,
  target: BinaryMask,
  rule: LogitRule = 'logit >= 0',
): MaskOverlap {
  checkSizes(prediction, target);
  const inside = insideTest(prediction, rule);
  let intersection = 0;
  let predictedArea = 0;
  let targetArea = 0;
  for (let pixel = 0; pixel < target.data.length; pixel++) {
    const predicted = inside(pixel);
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

function checkSizes(prediction: PredictedMask, target: BinaryMask): void {
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
