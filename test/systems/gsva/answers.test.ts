/** Free answers: whatever the form and the order, each [SEG] and [REJ] finds its expression, and nothing is made up. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cleanExpression } from '../../../src/data/text/expression.js';
import { ANSWER_FORMS } from '../../../src/systems/gsva/prompts.js';
import { parseAnswer } from '../../../src/systems/gsva/answers.js';
import { REJ_TOKEN, SEG_TOKEN } from '../../../src/systems/shared/decision-tokens.js';
import type { AnswerPart } from '../../../src/systems/system.js';

const FORMS = [
  ...ANSWER_FORMS.map(({ start, part }) => ({ start: `${start} `, part })),
  { start: 'Sure,', part: '{}:[SEG]' },
];

/** What stands between the special tokens of an answer. */
function partsOf(text: string): AnswerPart[] {
  const pieces = text.split(/(\[SEG\]|\[REJ\])/);
  const parts: AnswerPart[] = [];
  for (let i = 1; i < pieces.length; i += 2) {
    parts.push({ text: pieces[i - 1] ?? '', answer: pieces[i] === REJ_TOKEN ? 'absent' : 'found' });
  }
  return parts;
}

function answerText(
  form: (typeof FORMS)[number],
  expressions: readonly string[],
  rejected: readonly boolean[],
): string {
  const parts = expressions.map((expression, i) =>
    form.part
      .split('{}')
      .join(expression)
      .replace(SEG_TOKEN, rejected[i] === true ? REJ_TOKEN : SEG_TOKEN),
  );
  return `${form.start}${parts.join(', ')}.`;
}

const words = fc.array(
  fc.constantFrom('red', 'blue', 'circle', 'bar', 'left', 'of', 'the', 'mask', 'is', 'sure', 'a,', 'one', 'it'),
  {
    minLength: 1,
    maxLength: 5,
  },
);
const phrase = words.map((list) => cleanExpression(list.join(' ').replace(/,$/, '')));
const phrases = fc
  .uniqueArray(phrase, { minLength: 1, maxLength: 8 })
  .filter((list) => list.every((text) => text !== ''));
const form = fc.constantFrom(...FORMS);

describe('parseAnswer', () => {
  test('reads every form that the model has learned, in the order of the question', () => {
    fc.assert(
      fc.property(
        phrases,
        form,
        fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
        (expressions, chosen, rejected) => {
          const parts = partsOf(answerText(chosen, expressions, rejected));
          const parsed = parseAnswer(parts, expressions);
          expect(parsed).toEqual({ parts: expressions.map((_, i) => i), unknown: [], repeated: [], unanswered: 0 });
        },
      ),
      { seed: 7, numRuns: 500 },
    );
  });

  test('reads an answer in another order by its words', () => {
    const expressions = ['red circle', 'green bar', 'both squares'];
    for (const chosen of FORMS) {
      const order = [2, 0, 1];
      const text = answerText(
        chosen,
        order.map((i) => expressions[i] as string),
        [false, true, false],
      );
      expect(parseAnswer(partsOf(text), expressions).parts).toEqual([1, 2, 0]);
    }
  });

  test('names what is unknown, repeated and unanswered', () => {
    const parts = partsOf('Sure, they are red circle:[SEG], blue cat:[REJ], red circle:[REJ].');
    const expressions = ['red circle', 'green bar'];
    expect(parseAnswer(parts, expressions)).toEqual({
      parts: [0, null],
      unknown: [1],
      repeated: [{ part: 2, expression: 0 }],
      unanswered: 1,
    });
    expect(parseAnswer([], expressions)).toEqual({ parts: [null, null], unknown: [], repeated: [], unanswered: 2 });
  });

  test('falls back on the order where the words do not help and the counts agree', () => {
    const expressions = ['red circle', 'green bar', 'star'];
    const unclear = partsOf('It is [SEG], and [REJ], star:[SEG].');
    expect(parseAnswer(unclear, expressions)).toEqual({ parts: [0, 1, 2], unknown: [], repeated: [], unanswered: 0 });
    expect(parseAnswer(unclear.slice(0, 2), expressions)).toEqual({
      parts: [null, null, null],
      unknown: [0, 1],
      repeated: [],
      unanswered: 3,
    });
  });

  test('an expression asked twice takes two answers', () => {
    const parts = partsOf('Sure,star:[SEG], star:[REJ].');
    expect(parseAnswer(parts, ['star', 'star'])).toEqual({ parts: [0, 1], unknown: [], repeated: [], unanswered: 0 });
  });

  test('capitals, spaces and dots do not matter', () => {
    expect(parseAnswer(partsOf('sure,   Red  Circle. : [SEG]'), ['red circle', 'x']).parts).toEqual([0, null]);
  });

  test('whatever is written: every part is used at most once, and all are accounted for', () => {
    const part = fc.record({
      text: fc.oneof(fc.string(), phrase),
      answer: fc.constantFrom('found' as const, 'absent' as const),
    });
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 12 }),
        fc.array(fc.oneof(phrase, fc.string()), { maxLength: 8 }),
        (parts, asked) => {
          const parsed = parseAnswer(parts, asked);
          const used = parsed.parts.filter((index) => index !== null);
          expect(new Set(used).size).toBe(used.length);
          expect(used.every((index) => index >= 0 && index < parts.length)).toBe(true);
          const rest = [...parsed.unknown, ...parsed.repeated.map(({ part }) => part)];
          expect([...used, ...rest].sort((a, b) => a - b)).toEqual(parts.map((_, i) => i));
          expect(parsed.repeated.every(({ expression }) => expression < asked.length)).toBe(true);
          expect(used.length + parsed.unanswered).toBe(asked.length);
        },
      ),
      { seed: 11, numRuns: 1000 },
    );
  });
});
