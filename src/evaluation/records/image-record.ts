/** From what was measured on an image to what is kept of it. */
import { encodeMask, rleArea, rleToString, type Rle } from '../../data/masks/coco-mask.js';
import type { ReferringImage } from '../../data/refer/refer-dataset.js';
import { UserError } from '../../errors.js';
import type { ReferringTarget } from '../../types.js';
import { boundaryErrors } from '../metrics/boundary-errors.js';
import { bestOtherTarget } from '../metrics/other-target.js';
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
      expression: target.expression,
      targets: ids === undefined ? Number(!target.isEmpty) : new Set(ids).size,
      answer,
      rejectProbability: finite('the probability of [REJ]', result.rejectProbability, fileName, target),
      score: finite('the score', result.score, fileName, target) ?? 0,
      targetIsEmpty: score.targetIsEmpty,
      decisionIsRight: score.decisionIsRight,
      iou: score.iou,
      intersection: score.intersection,
      union: score.union,
      targetArea: rleArea(targetRuns[index] as Rle),
      predictedArea: score.predictedArea,
      boxIou: score.boxIou,
      ...(score.wording === undefined ? {} : { wording: score.wording }),
      boundaryErrors: mask === null || score.targetIsEmpty ? null : boundaryErrors(mask, target.mask),
      other: runs === null ? null : bestOtherTarget(runs, targetRuns, index),
      mask: runs === null ? null : rleToString(runs),
    };
  });
  return { image, ...place, ...course, records };
}

/** JSON has no NaN: it would be recorded as nothing, and be counted as an answer. */
function finite(what: string, value: number | null, fileName: string, { expression }: ReferringTarget): number | null {
  if (value === null || Number.isFinite(value)) return value;
  throw new UserError(
    `Recording the answer about ${JSON.stringify(expression)} in ${fileName}: ${what} is ${value}. The model's numbers ` +
      `are not finite: look at its weights with ${gsvaCommand('inspect --stats FILE')}.`,
    'not-finite',
  );
}
