/** From what was measured on an image to what is kept of it. */
import { encodeMask, mergeRles, rleArea, rleToString, type Rle } from '../../data/masks/coco-mask.js';
import type { ReferringImage } from '../../data/refer/refer-dataset.js';
import { UserError } from '../../errors.js';
import type { BinaryMask, ReferringTarget } from '../../types.js';
import type { ExpressionRecord, ImageRecord } from './record-types.js';
import type { ScoredExpression } from '../score.js';
import { gsvaCommand } from '../../program.js';

/** @param targets null where the image could not be opened @param scored by protocol, in the order of `targets` */
export function makeImageRecord(
  entry: ReferringImage,
  { image, ...course }: Omit<ImageRecord, 'imageId' | 'fileName' | 'height' | 'width' | 'records'>,
  targets: readonly ReferringTarget[] | null,
  scored: readonly ScoredExpression[],
): ImageRecord {
  const { imageId, fileName } = entry;
  if (targets === null) return { image, imageId, fileName, height: 0, width: 0, ...course, records: [] };
  const place = { imageId, fileName, height: entry.height, width: entry.width };
  const targetRuns = targets.map(({ mask }) => encodeMask(mask));
  const records = scored.map(({ protocol, index, answer, result, mask, score }): ExpressionRecord => {
    const target = targets[index] as ReferringTarget;
    const runs = mask === null ? null : encodeMask(mask);
    const ids = entry.expressions[index]?.annotationIds;
    return {
      protocol,
      ...place,
      index,
      ...score,
      targets: ids === undefined ? Number(!target.isEmpty) : new Set(ids).size,
      answer,
      rejectProbability: finite('the probability of [REJ]', result.rejectProbability, fileName, target),
      score: finite('the score', result.score, fileName, target) ?? 0,
      targetArea: rleArea(targetRuns[index] as Rle),
      boundaryErrors: mask === null || score.targetIsEmpty ? null : boundaryErrors(mask, target.mask),
      other: runs === null ? null : bestOtherTarget(runs, targetRuns, index),
      mask: runs === null ? null : rleToString(runs),
    };
  });
  return { image, ...place, ...course, records };
}

/**
 * The other target of the image that a mask covers best outside of one's own: instances that run together, or the wrong
 * one of them. Targets half inside of one's own do not count.
 * @param own place of it
 */
export function bestOtherTarget(prediction: Rle, targets: readonly Rle[], own: number): ExpressionRecord['other'] {
  const ownTarget = targets[own] as Rle;
  const shared = mergeRles([prediction, ownTarget], true);
  const predictedArea = rleArea(prediction);
  // Nothing was drawn outside of the own target.
  if (rleArea(shared) === predictedArea) return null;
  let best: ExpressionRecord['other'] = null;
  for (const [expression, target] of targets.entries()) {
    if (expression === own) continue;
    const area = rleArea(target);
    const elsewhere = area - overlap(target, ownTarget);
    if (area === 0 || elsewhere <= area / 2) continue;
    const share = (overlap(prediction, target) - overlap(shared, target)) / elsewhere;
    if (share > (best?.share ?? 0)) best = { expression, share };
  }
  return best;
}

const overlap = (a: Rle, b: Rle): number => rleArea(mergeRles([a, b], true));

/** JSON has no NaN: it would be recorded as nothing, and be counted as an answer. */
function finite(what: string, value: number | null, fileName: string, { expression }: ReferringTarget): number | null {
  if (value === null || Number.isFinite(value)) return value;
  throw new UserError(
    `Recording the answer about ${JSON.stringify(expression)} in ${fileName}: ${what} is ${value}. The model's numbers ` +
      `are not finite: look at its weights with ${gsvaCommand('inspect --stats FILE')}.`,
    'not-finite',
  );
}

/** "A few pixels": 0.5 % of the image's diagonal, at least 1; 4 in COCO's images of 640 × 480. */
export function boundaryReach({ height, width }: { readonly height: number; readonly width: number }): number {
  return Math.max(1, Math.round(0.005 * Math.hypot(height, width)));
}

/**
 * Wrong pixels of `prediction` that concern the contour of `target` alone, of the same size: those within `reach` (square
 * window) of the target, or of the outside. The rest is the error that remains when the target is dilated and eroded by
 * `reach`.
 */
export function boundaryErrors(prediction: BinaryMask, target: BinaryMask, reach = boundaryReach(target)): number {
  const { height, width } = target;
  const sums = summedArea(target);
  const sumAt = (y: number, x: number): number => sums[y * (width + 1) + x] as number;
  let errors = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const pixel = y * width + x;
      if ((prediction.data[pixel] !== 0) === (target.data[pixel] !== 0)) continue;
      const [top, left] = [Math.max(0, y - reach), Math.max(0, x - reach)];
      const [bottom, right] = [Math.min(height, y + reach + 1), Math.min(width, x + reach + 1)];
      const inside = sumAt(bottom, right) - sumAt(bottom, left) - sumAt(top, right) + sumAt(top, left);
      if (inside !== 0 && inside !== (bottom - top) * (right - left)) errors++;
    }
  }
  return errors;
}

/** [height + 1, width + 1]: how many pixels above and to the left are inside, for windows of any size at one cost. */
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
