/** Accuracy of short answers: what counts as the same, and what guessing would reach. */
import { expect, test } from '@jest/globals';
import { isSameAnswer, oneAnswerAccuracy } from '../../../src/evaluation/vqa/one-answer.js';

test.each([
  ['red', 'red', true],
  [' Red. ', 'red', true],
  ['red circle', 'red', false],
  ['', 'red', false],
  ['no.', 'No', true],
])('%p for %p: %p', (reply, answer, same) => {
  expect(isSameAnswer(reply, answer)).toBe(same);
});

test('accuracy and what the commonest answer reaches, by category and together', () => {
  const asked = (category: string, answer: string, reply: string) => ({ category, answers: [answer], reply });
  const result = oneAnswerAccuracy([
    asked('colour', 'red', 'red'),
    asked('colour', 'red', 'blue'),
    asked('colour', 'blue', 'blue'),
    asked('colour', 'green', ''),
    asked('count', 'two', 'Two.'),
  ]);
  expect(result.categories).toEqual([
    { category: 'colour', questions: 4, accuracy: 0.5, commonest: 0.5 },
    { category: 'count', questions: 1, accuracy: 1, commonest: 1 },
  ]);
  expect(result.questions).toBe(5);
  expect(result.accuracy).toBeCloseTo(3 / 5, 12);
  expect(result.commonest).toBeCloseTo(3 / 5, 12);
});
