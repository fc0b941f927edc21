/** The result of one expression: status, binary mask, box, area, score; and those of a freely written answer. */
import type { Tokenizer } from '../data/text/tokenizer.js';
import { UserError } from '../errors.js';
import { firstNotFinite } from '../finite.js';
import type {
  BinaryMask,
  EmptyMask,
  LogitRule,
  NotAnswered,
  Rejected,
  Segmented,
  SegmentResult,
  SegmentStatus,
  UnmatchedPart,
} from '../types.js';
import type { Dialogue, Vocabulary } from '../systems/system.js';
import type { MaskLogits } from './draw-masks.js';
import type { AskedDecision, GeneratedAnswer } from './generate.js';
import type { Answer } from './reply.js';

/** @throws UserError where a logit is not finite: NaN would be outside of every mask, without a word */
export function binaryMask({ data, height, width }: MaskLogits, rule: LogitRule = 'logit >= 0'): BinaryMask {
  const bad = firstNotFinite(data);
  if (bad >= 0) {
    const place = `row ${Math.floor(bad / width)}, column ${bad % width}`;
    throw new UserError(
      `Making a mask: its logit at ${place} is ${data[bad]}. The model's numbers are not finite.`,
      'not-finite',
    );
  }
  const inside = new Uint8Array(data.length);
  if (rule === 'logit >= 0') for (let i = 0; i < data.length; i++) inside[i] = (data[i] as number) >= 0 ? 1 : 0;
  else for (let i = 0; i < data.length; i++) inside[i] = (data[i] as number) > 0 ? 1 : 0;
  return { data: inside, height, width };
}

const NOTHING = { mask: null, box: null, area: 0, score: 0 } as const;
const NOT_ANSWERED: NotAnswered = { status: 'no-seg-token', ...NOTHING, rejectProbability: null };

/** @param rejectProbability of "absent" against "found"; null where no token says "absent" */
function rejected(rejectProbability: number | null): Rejected {
  return { status: 'rejected', ...NOTHING, rejectProbability };
}

/** The finding of a decision by its mask. @param rejectProbability as for `rejected` */
export function segmented(
  logits: MaskLogits,
  rejectProbability: number | null,
  rule: LogitRule = 'logit >= 0',
): Segmented | EmptyMask {
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
  if (area === 0) return { status: 'empty-mask', mask, box: null, area: 0, score: 0, rejectProbability };
  const box = [xMin, yMin, xMax, yMax] as const;
  return { status: 'segmented', mask, box, area, score: sum / area, rejectProbability };
}

/**
 * @param status as the tokens decided: 'segmented' becomes 'empty-mask' where no pixel is inside
 * @param logits the expression's mask; needed where it is segmented and ignored otherwise
 */
export function segmentResult(
  expression: string,
  status: SegmentStatus,
  logits: MaskLogits | null,
  rejectProbability: number | null,
  rule: LogitRule = 'logit >= 0',
): SegmentResult {
  if (status === 'rejected') return { expression, ...rejected(rejectProbability) };
  if (status === 'no-seg-token') return { expression, ...NOT_ANSWERED };
  if (logits === null) throw new Error(`segmentResult: "${expression}" is segmented without a mask`);
  return { expression, ...segmented(logits, rejectProbability, rule) };
}

/** The result of a decision. Where no token says "absent", the mask does, whatever token was the likeliest. */
export function decidedResult(
  { absent, absentBelow }: Pick<Vocabulary, 'absent' | 'absentBelow'>,
  expression: string,
  { answer, mask, rejectProbability }: AskedDecision,
  rule?: LogitRule,
): SegmentResult {
  if (absent.length > 0) {
    return segmentResult(expression, answer === 'found' ? 'segmented' : 'rejected', mask, rejectProbability, rule);
  }
  const result = segmentResult(expression, 'segmented', mask, null, rule);
  return result.area < absentBelow ? { expression, ...rejected(null) } : result;
}

export interface GeneratedReply extends Answer {
  /** How the answer went past the question. */
  readonly faults: { readonly unknown: number; readonly repeated: number; readonly unanswered: number };
}

/** Properties of a model that its answer is read by. */
export interface Reader {
  readonly tokenizer: Tokenizer;
  readonly vocabulary: Pick<Vocabulary, 'absent' | 'absentBelow'>;
  readonly dialogue: Pick<Dialogue, 'match'>;
}

/** A freely written answer, read. Every decision is in the results, or among the parts that match no expression. */
export function readFreeAnswer(
  { tokenizer, vocabulary, dialogue }: Reader,
  generated: GeneratedAnswer,
  expressions: readonly string[],
  logitRule?: LogitRule,
): Omit<GeneratedReply, 'question'> {
  const written = partsOf(tokenizer, generated);
  const { parts, unknown, repeated, unanswered } = dialogue.match(written, expressions);
  const results = expressions.map((expression, i) => {
    const part = parts[i] ?? null;
    const decision = part === null ? undefined : generated.decisions[part];
    if (decision === undefined) return { expression, ...NOT_ANSWERED };
    return decidedResult(vocabulary, expression, decision, logitRule);
  });
  const leftOver = [
    ...unknown.map((part) => ({ part, repeats: null })),
    ...repeated.map(({ part, expression }) => ({ part, repeats: expressions[expression] ?? null })),
  ].sort((a, b) => a.part - b.part);
  const unmatched = leftOver.flatMap(({ part, repeats }): UnmatchedPart[] => {
    const [decision, text] = [generated.decisions[part], written[part]?.text];
    if (decision === undefined || text === undefined) return [];
    const { mask, rejectProbability } = decision;
    const probability = vocabulary.absent.length > 0 ? rejectProbability : null;
    const finding = mask === null ? rejected(probability) : segmented(mask, probability, logitRule);
    return [{ text: text.trim(), repeats, ...finding }];
  });
  const answer = tokenizer.decode(generated.ids, { skipSpecial: true });
  const faults = { unknown: unknown.length, repeated: repeated.length, unanswered };
  return { answer, results, unmatched, faults };
}

/** The generated decisions, each with the text since the one before. */
export function partsOf(tokenizer: Tokenizer, { ids, decisions }: Pick<GeneratedAnswer, 'ids' | 'decisions'>) {
  return decisions.map(({ index, answer }, i) => {
    const begin = i === 0 ? 0 : (decisions[i - 1]?.index ?? 0) + 1;
    return { answer, text: tokenizer.decode(ids.slice(begin, index), { skipSpecial: true }) };
  });
}
