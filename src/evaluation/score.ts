/** From an answer to what it counts, by benchmark and protocol. */
import type { BinaryMask, SegmentResult } from '../types.js';
import type { Benchmark } from './benchmarks/benchmarks.js';
import type { EvaluatedTarget } from '../data/refer/refer-dataset.js';
import type { FigureRecord, Wording } from './figures.js';
import { type Answer, type GresProtocol, type GresScore, scoreGres } from './metrics/gres-score.js';
import type { RecordHeader } from './records/record.js';
import { boxIou, boxOfMask, maskArea, maskOverlap } from './metrics/mask-overlap.js';

/** How decisions are read; the threshold is used under 'strict' alone. */
export type DecisionRule = Pick<RecordHeader, 'rejectThreshold' | 'minimumPixels'>;

export interface ScoredExpression {
  readonly protocol: GresProtocol;
  readonly index: number;
  readonly answer: Answer;
  readonly result: SegmentResult;
  /** The mask that was scored, where there was one. */
  readonly mask: BinaryMask | null;
  readonly score: FigureRecord;
}

/** @param answered `secondPassMask` is that of teacher forcing, drawn also where the answer was "absent" */
export function scoreExpression(
  benchmark: Benchmark,
  protocol: GresProtocol,
  rule: DecisionRule,
  { target, index }: { readonly target: EvaluatedTarget; readonly index: number },
  { result, secondPassMask }: { readonly result: SegmentResult; readonly secondPassMask: BinaryMask | undefined },
): ScoredExpression {
  const decided = answerOf(result, protocol, rule.rejectThreshold);
  const isReference = protocol === 'reference';
  // What the threshold accepts although its token was not the most probable token has its mask from the second pass.
  const strict = protocol === 'strict' && decided === 'found' ? (result.mask ?? secondPassMask) : result.mask;
  const isDrawn = benchmark.scoring === 'drawn';
  const own = isReference ? secondPassMask : isDrawn ? (secondPassMask ?? result.mask) : strict;
  const drawn = withoutIgnored(own ?? null, target.ignored);
  const answer = decided === 'found' && maskArea(drawn) < rule.minimumPixels ? 'absent' : decided;
  const counted = isReference || isDrawn || answer === 'found' ? drawn : null;
  const score =
    benchmark.scoring === 'gres'
      ? scoreGres(protocol, { prediction: counted, target: target.mask, answer })
      : scoreMasks(counted, target.mask, answer);
  // A right rejection is scored without looking at a mask.
  const isUnseen = benchmark.scoring === 'gres' && score.targetIsEmpty && score.decisionIsRight;
  const mask = isUnseen ? null : counted;
  const boxes = benchmark.boxes && !score.targetIsEmpty ? boxIou(boxOfMask(mask), boxOfMask(target.mask)) : null;
  const figures = {
    expression: target.expression,
    ...score,
    ...{ predictedArea: maskArea(mask), boxIou: boxes },
    ...(isDrawn ? wordingOf(target) : {}),
  };
  return { protocol, index, answer, result, mask, score: figures };
}

function wordingOf({ form }: EvaluatedTarget): { readonly wording?: Wording } {
  if (form === 'reason-phrase') return { wording: 'phrase' };
  return form === 'reason-sentence' ? { wording: 'sentence' } : {};
}

/** As published where no target is absent: the tokens play no part, but in deciding which mask it is. */
function scoreMasks(prediction: BinaryMask | null, target: BinaryMask, answer: Answer): GresScore {
  const { intersection, union, targetArea } = maskOverlap(prediction, target);
  const targetIsEmpty = targetArea === 0;
  const decisionIsRight = answer === (targetIsEmpty ? 'absent' : 'found');
  return { targetIsEmpty, decisionIsRight, iou: union === 0 ? 1 : intersection / union, intersection, union };
}

function answerOf(
  { status, rejectProbability }: SegmentResult,
  protocol: GresProtocol,
  rejectThreshold: number | null,
): Answer {
  if (protocol === 'strict' && rejectThreshold !== null && rejectProbability !== null) {
    return rejectProbability >= rejectThreshold ? 'absent' : 'found';
  }
  // An empty mask was still answered with "found".
  if (status === 'segmented' || status === 'empty-mask') return 'found';
  return status === 'rejected' ? 'absent' : 'none';
}

function withoutIgnored(mask: BinaryMask | null, ignored: BinaryMask | undefined): BinaryMask | null {
  if (mask === null || ignored === undefined) return mask;
  return { ...mask, data: mask.data.map((value, i) => (ignored.data[i] === 0 ? value : 0)) };
}
