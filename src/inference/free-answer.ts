/** A freely written answer, read: a result for each expression, and the parts that match none. */
import type { Tokenizer } from '../data/text/tokenizer.js';
import type { AnswerPart, Dialogue, Vocabulary } from '../systems/system.js';
import type { LogitRule, UnmatchedPart } from '../types.js';
import type { GeneratedAnswer } from './generate.js';
import type { Answer } from './reply.js';
import { decidedResult, notAnswered, rejected, segmented } from './segment-result.js';

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

/** Every decision is in the results, or among the parts that match no expression. */
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
    if (decision === undefined) return { expression, ...notAnswered() };
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
export function partsOf(
  tokenizer: Tokenizer,
  { ids, decisions }: Pick<GeneratedAnswer, 'ids' | 'decisions'>,
): AnswerPart[] {
  return decisions.map(({ index, answer }, i) => {
    const begin = i === 0 ? 0 : (decisions[i - 1]?.index ?? 0) + 1;
    return { answer, text: tokenizer.decode(ids.slice(begin, index), { skipSpecial: true }) };
  });
}
