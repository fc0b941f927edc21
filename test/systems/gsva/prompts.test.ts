import { describe, expect, test } from '@jest/globals';

import { checkedExpression, cleanExpression } from '../../../src/data/text/expression.js';
import {
  ANSWER_FORMS,
  TRAINING_QUESTIONS,
  evaluationAnswer,
  questionOf,
  trainingAnswer,
  trainingQuestion,
  EXPLANATION_REQUESTS,
} from '../../../src/systems/gsva/prompts.js';
import {
  explainedTurn,
  explanationMode,
  targetAnswer,
  targetQuestion,
  validationQuestion,
} from '../../../src/systems/shared/lisa-prompts.js';
import { UserError } from '../../../src/errors.js';
import { Random } from '../../../src/random.js';

const targets = [
  { expression: 'red Bar', isEmpty: false },
  { expression: 'cup', isEmpty: true },
];

/** All texts that a function gives over many draws. */
function draws(make: (random: Random) => string): Set<string> {
  const random = new Random(1);
  return new Set(Array.from({ length: 300 }, () => make(random)));
}

describe('referring and semantic segmentation', () => {
  test('every training question occurs, with the image in front and the expressions in lower case', () => {
    expect(draws((random) => trainingQuestion(random, ['red Bar', 'cup']))).toEqual(
      new Set(TRAINING_QUESTIONS.map((question) => `<image>\n${question.replace('{}', 'red bar, cup')}`)),
    );
  });

  test('every form of answer occurs, [REJ] in place of [SEG] for what is absent', () => {
    expect(draws((random) => trainingAnswer(random, targets, 'res'))).toEqual(
      new Set([
        'The segmentation results are red Bar [SEG], cup [REJ].',
        'Sure, they are red Bar:[SEG], cup:[REJ].',
        'Sure, the mask of red Bar is [SEG], the mask of cup is [REJ].',
        'Sure, the segmentation of red Bar is [SEG], the segmentation of cup is [REJ].',
        'Sure, the referred red Bar is [SEG], the referred cup is [REJ].',
      ]),
    );
    expect(draws((random) => trainingAnswer(random, targets, 'semseg'))).toContain(
      'Sure, they are red Bar:[SEG],cup:[REJ].',
    );
    expect(ANSWER_FORMS).toHaveLength(5);
  });

  test('expressions with patterns in them come through unchanged', () => {
    const hostile = { expression: '$& {} $1', isEmpty: false };
    expect(draws((random) => trainingAnswer(random, [hostile], 'res'))).toContain('Sure, they are $& {} $1:[SEG].');
  });

  test('evaluation asks as the reference does, missing space included', () => {
    expect(questionOf('reference', ['a', 'b'])).toBe(
      '<image>\n What are a, bin this image? Please output segmentation masks.',
    );
    expect(evaluationAnswer(targets)).toBe('Sure,red Bar:[SEG], cup:[REJ].');
    expect(questionOf('show', ['a', 'b'])).toBe('<image>\nShow me a, b in the image with segmentation masks');
    expect(questionOf('class', ['wall'])).toBe('<image>\n What is wall in this image?');
  });
});

describe('expressions', () => {
  test.each([
    [' The Red bar. ', 'The Red bar'],
    ['...', ''],
    ['a.b..', 'a.b'],
    ['a .', 'a '],
  ])('%j is cleaned to %j', (text, cleaned) => {
    expect(cleanExpression(text)).toBe(cleaned);
  });

  test('cleaning takes linear time', () => {
    expect(cleanExpression(`a${'.'.repeat(2_000_000)}b`)).toHaveLength(2_000_002);
  });

  test('those of a user are also put in lower case; empty ones and reserved tokens are refused', () => {
    expect(checkedExpression(' Red Circle. ')).toBe('red circle');
    expect(checkedExpression('red\n  circle\t.')).toBe('red circle');
    for (const text of ['', ' .. ', 'a [SEG]', 'a [seg]', '<image>', 'x</s>', '<im_start>']) {
      expect(() => checkedExpression(text)).toThrow(UserError);
    }
  });
});

describe('ReasonSeg', () => {
  test('phrases and sentences are asked differently', () => {
    expect(draws((random) => targetQuestion(random, 'The Thing', false))).toContain(
      '<image>\nCan you segment the the thing in this image?',
    );
    expect(draws((random) => targetQuestion(random, 'What is hot?', true))).toEqual(
      new Set(['respond with', 'output'].map((verb) => `<image>\nWhat is hot? Please ${verb} segmentation mask.`)),
    );
    expect(draws((random) => targetAnswer(random)).size).toBe(5);
    expect(validationQuestion('What is hot?', true)).toBe('<image>\n What is hot? Please output segmentation mask.');
    expect(validationQuestion('cup', false)).toBe(
      '<image>\n What is cup in this image? Please output segmentation mask.',
    );
  });

  test('a tenth of the explained images is answered by the explanation alone', () => {
    const random = new Random(4);
    const modes = Array.from({ length: 4000 }, () => explanationMode(random));
    const share = (mode: string): number => modes.filter((found) => found === mode).length / modes.length;
    expect(share('explanation')).toBeCloseTo(0.1, 1);
    expect(share('mask')).toBeCloseTo(0.45, 1);
    expect(
      explainedTurn(random, 'explanation', { text: 'Why?', isSentence: true }, 'So.', EXPLANATION_REQUESTS),
    ).toEqual({
      user: '<image>\nWhy?',
      assistant: 'So.',
    });
    const both = explainedTurn(
      random,
      'mask-and-explanation',
      { text: 'Why?', isSentence: true },
      'So.',
      EXPLANATION_REQUESTS,
    );
    expect(both.user).toMatch(/^<image>\nWhy\? Please output segmentation mask and /);
    expect(both.assistant).toMatch(/\[SEG\]\. So\.$/);
    expect(
      explainedTurn(random, 'mask', { text: 'Why?', isSentence: true }, 'So.', EXPLANATION_REQUESTS).assistant,
    ).not.toContain('So.');
  });
});
