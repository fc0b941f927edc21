/** Figures of sets: POPE's and MME's against tables computed by hand, means by category. */
import { describe, expect, test } from '@jest/globals';
import { type AnsweredQuestion, MME_COGNITION, MME_PERCEPTION } from '../../../src/evaluation/vqa/vqa-score.js';
import { scoreGqa, scoreMme, scorePope, scoreVqa } from '../../../src/evaluation/vqa/vqa-score.js';
import { mmeReading, mmeScore, popeReading, yesNoFigures } from '../../../src/evaluation/vqa/yes-no.js';
import { Random } from '../../../src/random.js';

const question = (given: Partial<AnsweredQuestion>): AnsweredQuestion => {
  return { id: '0', image: 'a.jpg', text: 'Is it?', answers: ['yes'], category: '', reply: 'yes', ...given };
};

describe('readings', () => {
  test.each([
    ['Yes', 'yes'],
    ['No', 'no'],
    ['no, there is none', 'no'],
    ['There is not one', 'no'],
    ['NO', 'yes'],
    ['Nothing', 'yes'],
    ['Yes. No doubt', 'yes'],
    ['', 'yes'],
  ] as const)('POPE reads %j as %s', (reply, expected) => {
    expect(popeReading(reply)).toBe(expected);
  });

  test.each([
    ['Yes.', 'yes'],
    ['no', 'no'],
    [' NO way', 'no'],
    ['I know', 'other'],
    ['It is yes', 'other'],
    ['not so', 'no'],
    ['', 'other'],
  ] as const)('MME reads %j as %s', (reply, expected) => {
    expect(mmeReading(reply)).toBe(expected);
  });
});

describe('POPE', () => {
  // random: 3 hits, 1 miss, 1 false alarm, 5 rejected; popular: all affirmed.
  const table = { random: [3, 1, 1, 5], popular: [2, 0, 2, 0] } as const;
  const answered = Object.entries(table).flatMap(([category, counts]) =>
    counts.flatMap((count, cell) =>
      Array.from({ length: count }, () =>
        question({ category, answers: [cell < 2 ? 'yes' : 'no'], reply: cell % 2 === 0 ? 'Yes' : 'No' }),
      ),
    ),
  );

  test('by category, and the mean of the categories', () => {
    const { categories, figures } = scorePope(answered);
    expect(categories.map(({ category, questions }) => [category, questions])).toEqual([
      ['random', 10],
      ['popular', 4],
    ]);
    expect(categories[0]?.figures).toEqual({ accuracy: 80, precision: 75, recall: 75, F1: 75, yes: 40 });
    expect(categories[1]?.figures).toMatchObject({ accuracy: 50, precision: 50, recall: 100, yes: 100 });
    expect(figures['F1']).toBeCloseTo((75 + 200 / 3) / 2, 10);
    expect(figures['accuracy']).toBe(65);
  });

  test('F1 is the harmonic mean of precision and recall, whatever the counts', () => {
    const random = new Random(2);
    for (let trial = 0; trial < 100; trial++) {
      const draw = (): boolean => random.integer(2) === 1;
      const some = Array.from({ length: 1 + random.integer(20) }, () => ({ isYes: draw(), saidYes: draw() }));
      const { precision, recall, f1 } = yesNoFigures(some);
      if (precision === null || recall === null || precision + recall === 0) continue;
      expect(f1).toBeCloseTo((2 * precision * recall) / (precision + recall), 12);
    }
  });

  test('what nothing decides is null', () => {
    expect(yesNoFigures([{ isYes: false, saidYes: false }])).toMatchObject({ precision: null, recall: null, f1: null });
  });
});

describe('MME', () => {
  test('a picture counts for accuracy+ where both of its questions are right', () => {
    const answered = [true, true, true, false, false, false].map((isRight, i) => {
      return { image: `${Math.floor(i / 2)}.jpg`, isRight };
    });
    expect(mmeScore(answered)).toEqual({ accuracy: 50, accuracyPlus: 100 / 3, score: 50 + 100 / 3 });
  });

  test('sums over the tasks of each kind, where all of them were asked', () => {
    const tasks = [...MME_PERCEPTION, ...MME_COGNITION];
    const answered = tasks.flatMap((category, task) => [
      question({ category, answers: ['Yes'], reply: 'Yes.' }),
      question({ category, answers: ['No'], reply: task % 2 === 0 ? 'no' : 'hm' }),
    ]);
    // Even tasks 200, odd ones 50: five of each in perception, two of each in cognition.
    expect(scoreMme(answered).figures).toEqual({ perception: 1250, cognition: 500, total: 1750 });
    const partly = scoreMme(answered.filter(({ category }) => category !== 'OCR'));
    expect(partly.figures).toEqual({ perception: null, cognition: 500, total: null });
    expect(partly.categories).toHaveLength(13);
  });
});

test('accuracies are means of all questions, in percent, and of each category', () => {
  const ten = (word: string): string[] => Array.from({ length: 10 }, (_, i) => (i < 2 ? word : 'other'));
  const { figures, categories } = scoreVqa([
    question({ category: 'number', answers: ten('3'), reply: 'three' }),
    question({ category: 'other', answers: ten('cat'), reply: 'other' }),
    question({ category: 'other', answers: ten('cat'), reply: 'dog' }),
  ]);
  expect(figures['accuracy']).toBeCloseTo(160 / 3, 10);
  expect(categories.map((each) => [each.category, each.questions, each.figures['accuracy']])).toEqual([
    ['number', 1, expect.closeTo(60, 10)],
    ['other', 2, 50],
  ]);
  expect(scoreGqa([question({ answers: ['left'], reply: 'Left.' })]).figures).toEqual({ accuracy: 100 });
});
