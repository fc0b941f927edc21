/**
 * Expressions that the decisions of a freely written answer are about.
 *
 * "Sure, they are red circle:[SEG], green bar:[REJ]." The text before each of the tokens names the expression, in one of
 * the forms that the model has learned (prompts.ts). Where the text does not help but there are as many tokens as
 * expressions, the order decides: the model has learned to answer in the order of the question.
 */
import { cleanExpression } from '../../data/text/expression.js';
import { SEG_TOKEN } from '../shared/decision-tokens.js';
import type { AnswerPart, ParsedAnswer } from '../system.js';
import { ANSWER_FORMS } from './prompts.js';

/** How a part may begin and end around the expression, from the forms of answers; the evaluation's is "Sure,{}:". */
const FORMS = [...ANSWER_FORMS, { start: 'Sure,', part: `{}:${SEG_TOKEN}` }].map(({ start, part }) => {
  const [before = '', behind = ''] = part.replace(SEG_TOKEN, '').split('{}');
  return { start: normalized(start), before: normalized(before), behind: normalized(behind) };
});

export function parseAnswer(answer: readonly AnswerPart[], expressions: readonly string[]): ParsedAnswer {
  const wanted = expressions.map(normalized);
  const parts: (number | null)[] = expressions.map(() => null);
  const unknown: number[] = [];
  const repeated: { part: number; expression: number }[] = [];
  for (const [index, { text }] of answer.entries()) {
    const candidates = expressionsIn(text);
    const named = (expression: string): boolean => candidates.includes(expression);
    // An expression that is asked twice is answered twice: the next one still open is meant.
    const open = wanted.findIndex((expression, i) => parts[i] === null && named(expression));
    const answered = wanted.findIndex(named);
    if (open >= 0) parts[open] = index;
    else if (answered >= 0) repeated.push({ part: index, expression: answered });
    else unknown.push(index);
  }
  const placed = answer.length === expressions.length ? unknown.filter((index) => parts[index] === null) : [];
  for (const index of placed) parts[index] = index;
  return {
    parts,
    unknown: unknown.filter((index) => !placed.includes(index)),
    repeated,
    unanswered: parts.filter((part) => part === null).length,
  };
}

/** The same for answers without expressions, "Sure, [SEG], [REJ].": the n-th part answers the n-th expression. */
export function parseAnswerInOrder(answer: readonly AnswerPart[], expressions: readonly string[]): ParsedAnswer {
  const answered = Math.min(answer.length, expressions.length);
  const parts = expressions.map((_, i) => (i < answered ? i : null));
  const unknown = answer.map((_, i) => i).slice(answered);
  return { parts, unknown, repeated: [], unanswered: expressions.length - answered };
}

/** Everything that the text may name: itself, and what is left of it inside each of the forms. */
function expressionsIn(text: string): string[] {
  const whole = normalized(text);
  const found = new Set([whole]);
  for (const { start, before, behind } of FORMS) {
    for (const opened of [whole, within(whole, start)]) {
      const expression = within(opened, before, behind);
      if (expression !== null) found.add(expression);
    }
  }
  found.delete('');
  return [...found];
}

/** The text between two others, trimmed; null where it has not both. */
function within(text: string | null, start: string, end = ''): string | null {
  if (text?.startsWith(start) !== true) return null;
  const rest = trimmed(text.slice(start.length));
  return rest.endsWith(end) ? trimmed(rest.slice(0, rest.length - end.length)) : null;
}

/** Lower case, single spaces, no punctuation of the list around it: parts are joined by ", " and closed by ".". */
function normalized(text: string): string {
  return trimmed(cleanExpression(text.toLowerCase().replace(/\s+/g, ' ')));
}

function trimmed(text: string): string {
  return text.replace(/^[\s,.;]+/, '').replace(/[\s,.;]+$/, '');
}
