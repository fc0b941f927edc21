/** Rates of free answers, counted by hand on a recorded image. */
import { expect, test } from '@jest/globals';
import { answerRates, isAnswerRate } from '../../src/evaluation/answer-rates.js';
import type { ExpressionRecord, ImageRecord } from '../../src/evaluation/records/record-types.js';

const VOCABULARY = {
  found: [1, 3],
  absent: [2],
  ids: ['[SEG]', '[REJ]', '[SEG001]'].map((token, i) => ({ token, id: i + 1, key: '' })),
};

type Said = readonly [targetIsEmpty: boolean, answer: ExpressionRecord['answer']];

function image(replies: readonly string[], said: readonly Said[]): ImageRecord {
  const records = said.map(([targetIsEmpty, answer]) => ({ protocol: 'generate', targetIsEmpty, answer }));
  const others = [{ protocol: 'strict', targetIsEmpty: true, answer: 'absent' }];
  return {
    replies: [
      ...replies.map((answer) => ({ protocol: 'generate', question: '', answer })),
      { protocol: 'strict', question: '', answer: '[REJ][REJ]' },
    ],
    records: [...records, ...others],
  } as unknown as ImageRecord;
}

test('answers are counted by what is there, tokens by answer; other protocols play no part', () => {
  const images = [
    image(
      ['Sure, a:[SEG], b:[REJ], c:[SEG001].'],
      [
        [false, 'found'],
        [true, 'absent'],
        [false, 'found'],
      ],
    ),
    image(
      ['Sure, a:[SEG] [SEG].', 'I do not know.'],
      [
        [true, 'found'],
        [false, 'none'],
        [false, 'absent'],
        [true, 'absent'],
        [true, 'none'],
      ],
    ),
  ];
  expect(answerRates(images, VOCABULARY)).toEqual({
    gen_present_seg: 2 / 4,
    gen_absent_rej: 2 / 4,
    gen_unanswered: 2 / 8,
    gen_seg_per_answer: 4 / 3,
    gen_rej_per_answer: 1 / 3,
  });
});

test('without absent targets there is no rate of them', () => {
  const rates = answerRates([image(['[SEG]'], [[false, 'found']])], VOCABULARY);
  expect(rates.gen_absent_rej).toBeNaN();
  expect(Object.keys(rates).every(isAnswerRate)).toBe(true);
  expect(isAnswerRate('gIoU')).toBe(false);
});
