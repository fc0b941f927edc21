/** The texts of every form of question: published spaces and all, one expression where only one is asked about. */
import { describe, expect, test } from '@jest/globals';
import {
  answerOf,
  asksAlone,
  EXPRESSION_FORMS,
  formText,
  freeQuestionOf,
  questionOf,
} from '../../../src/data/text/question-forms.js';

const two = ['red circle', 'green $& bar'];
const targets = [
  { expression: 'red circle', isEmpty: false },
  { expression: 'green $& bar', isEmpty: true },
];

describe('questions about several expressions', () => {
  test.each([
    ['reference', '<image>\n What are red circle, green $& barin this image? Please output segmentation masks.'],
    ['what', '<image>\nWhat are red circle, green $& bar in this image? Please output segmentation masks.'],
    ['where', '<image>\nWhere are red circle, green $& bar in this image? Please output segmentation masks.'],
    ['show', '<image>\nShow me red circle, green $& bar in the image with segmentation masks'],
    ['outline', '<image>\nOutline red circle, green $& bar in this image with segmentation masks'],
  ] as const)('%s', (form, text) => {
    expect(questionOf(form, two)).toBe(text);
    expect(answerOf(form, targets)).toBe('Sure,red circle:[SEG], green $& bar:[REJ].');
    expect(asksAlone(form)).toBe(false);
  });

  test('free answers are asked for in words that the model has learned', () => {
    expect(freeQuestionOf('reference', two)).toBe(questionOf('what', two));
    for (const form of EXPRESSION_FORMS.slice(1)) expect(freeQuestionOf(form, two)).toBe(questionOf(form, two));
  });

  test('for readers the place of the expressions is marked', () => {
    expect(formText('where')).toBe('Where are {} in this image? Please output segmentation masks.');
    expect(formText('reference')).toBe('What are {}in this image? Please output segmentation masks.');
  });
});

describe('questions about one thing', () => {
  test.each([
    ['reason-sentence', 'Where do I sit?', '<image>\n Where do I sit? Please output segmentation mask.', '[SEG]'],
    [
      'reason-phrase',
      'the seat',
      '<image>\n What is the seat in this image? Please output segmentation mask.',
      '[SEG]',
    ],
    ['class', 'chair', '<image>\n What is chair in this image?', 'Sure, [SEG].'],
  ] as const)('%s', (form, text, question, answer) => {
    expect(questionOf(form, [text])).toBe(question);
    expect(freeQuestionOf(form, [text])).toBe(question);
    expect(answerOf(form, [{ expression: text, isEmpty: false }])).toBe(answer);
    expect(answerOf(form, [{ expression: text, isEmpty: true }])).toBe(answer.replace('[SEG]', '[REJ]'));
    expect(asksAlone(form)).toBe(true);
    expect(() => questionOf(form, two)).toThrow('asks about one expression, not 2');
  });
});
