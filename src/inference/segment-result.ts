/** What is reported of one expression: status, binary mask, box, area, score. */
import type { BinaryMask, LogitRule, SegmentResult, SegmentStatus } from '../types.js';
import { UserError } from '../errors.js';
import { firstNotFinite } from '../finite.js';
import type { MaskLogits } from './draw-masks.js';

/** @throws UserError where a logit is not finite: NaN would be outside of every mask, without a word */
export function binaryMask({ data, height, width }: MaskLogits, rule: LogitRule = 'logit >= 0'): BinaryMask {
  const bad = firstNotFinite(data);
  if (bad >= 0) {
    const place = `row ${Math.floor(bad / width)}, column ${bad % width}`;
    throw new UserError(`Making a mask: its logit at ${place} is ${data[bad]}. The model's numbers are not finite.`);
  }
  const inside = new Uint8Array(data.length);
  if (rule === 'logit >= 0') for (let i = 0; i < data.length; i++) inside[i] = (data[i] as number) >= 0 ? 1 : 0;
  else for (let i = 0; i < data.length; i++) inside[i] = (data[i] as number) > 0 ? 1 : 0;
  return { data: inside, height, width };
}

/**
 * @param logits the expression's mask; used when `status` is 'segmented' and ignored otherwise
 * @param rejectProbability of [REJ] against [SEG], null when the model did not come to decide
 */
export function segmentResult(
  expression: string,
  status: SegmentStatus,
  logits: MaskLogits | null,
  rejectProbability: number | null,
  rule: LogitRule = 'logit >= 0',
): SegmentResult {
  if (status !== 'segmented' || logits === null) {
    return { expression, status, mask: null, box: null, area: 0, score: 0, rejectProbability };
  }
  const mask = binaryMask(logits, rule);
  const { width, height } = mask;
  let [area, sum, xMin, yMin, xMax, yMax] = [0, 0, width, height, 0, 0];
  for (let i = 0; i < mask.data.length; i++) {
    if (mask.data[i] === 0) continue;
    const x = i % width;
    const y = (i - x) / width;
    area++;
    sum += 1 / (1 + Math.exp(-(logits.data[i] as number)));
    xMin = Math.min(xMin, x);
    yMin = Math.min(yMin, y);
    xMax = Math.max(xMax, x + 1);
    yMax = Math.max(yMax, y + 1);
  }
  const box = area === 0 ? null : ([xMin, yMin, xMax, yMax] as const);
  return { expression, status, mask, box, area, score: area === 0 ? 0 : sum / area, rejectProbability };
}
