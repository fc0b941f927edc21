/** From what was measured on an image to what is kept of it. */
import { encodeMask, rleArea, rleToString, type Rle } from '../data/masks/coco-mask.js';
import type { ReferringImage } from '../data/refer/refer-dataset.js';
import type { BinaryMask, ReferringTarget, SegmentResult } from '../types.js';
import { boundaryErrors } from './metrics/boundary-errors.js';
import type { Answer, GresProtocol, GresScore } from './metrics/gres-metric.js';
import { bestOtherTarget } from './metrics/other-target.js';
import type { ExpressionRecord, ImageRecord } from './record.js';

/** One expression under one protocol, just scored. */
export interface ScoredExpression {
  readonly protocol: GresProtocol;
  readonly index: number;
  readonly answer: Answer;
  readonly result: SegmentResult;
  /** The mask that was scored, where there was one. */
  readonly mask: BinaryMask | null;
  readonly score: GresScore;
}

/**
 * @param course what was said about the image, and the time that it took
 * @param scored protocol after protocol, in the order of `targets`
 */
export function makeImageRecord(
  { imageId, fileName, height, width, expressions }: ReferringImage,
  { image, ...course }: Pick<ImageRecord, 'image' | 'seconds' | 'date' | 'replies' | 'faults'>,
  targets: readonly ReferringTarget[],
  scored: readonly ScoredExpression[],
): ImageRecord {
  const place = { imageId, fileName, height, width };
  const targetRuns = targets.map(({ mask }) => encodeMask(mask));
  const records = scored.map(({ protocol, index, answer, result, mask, score }): ExpressionRecord => {
    const target = targets[index] as ReferringTarget;
    const runs = mask === null ? null : encodeMask(mask);
    const ids = expressions[index]?.annotationIds;
    return {
      protocol,
      ...place,
      index,
      expression: target.expression,
      targets: ids === undefined ? Number(!target.isEmpty) : new Set(ids).size,
      answer,
      rejectProbability: finite(result.rejectProbability),
      score: finite(result.score) ?? 0,
      ...score,
      targetArea: rleArea(targetRuns[index] as Rle),
      predictedArea: runs === null ? 0 : rleArea(runs),
      boundaryErrors: mask === null || score.targetIsEmpty ? null : boundaryErrors(mask, target.mask),
      other: runs === null ? null : bestOtherTarget(runs, targetRuns, index),
      mask: runs === null ? null : rleToString(runs),
    };
  });
  return { image, ...place, ...course, records };
}

/** JSON has no NaN, and a probability that is none decides nothing. */
function finite(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}
