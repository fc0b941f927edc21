/** VQA's and TextVQA's accuracy: hand-computed cases, and properties against the definition, one annotator at a time. */
import { describe, expect, test } from '@jest/globals';
import { evalAiText, vqaText } from '../../../src/evaluation/vqa/answer-text.js';
import { consensus, isGqaAnswer, textVqaAccuracy, vqaAccuracy } from '../../../src/evaluation/vqa/consensus.js';
import { Random } from '../../../src/random.js';

describe('consensus', () => {
  test.each([
    [0, 10, 0],
    [1, 10, 0.3],
    [2, 10, 0.6],
    [3, 10, 0.9],
    [4, 10, 1],
    [10, 10, 1],
    [1, 1, 0],
  ])('%i of %i annotators make %f', (matches, count, expected) => {
    expect(consensus(matches, count)).toBeCloseTo(expected, 12);
  });

  test('is the mean over annotators left out, never falls with more matches, and stays in [0, 1]', () => {
    const random = new Random(11);
    for (let trial = 0; trial < 300; trial++) {
      const count = 1 + random.integer(12);
      const given = Array.from({ length: count }, () => random.integer(2) === 0);
      const each = given.map((_, left) => {
        const others = given.filter((isMatch, i) => i !== left && isMatch).length;
        return Math.min(1, others / 3);
      });
      const matches = given.filter((isMatch) => isMatch).length;
      const found = consensus(matches, count);
      expect(found).toBeCloseTo(each.reduce((a, b) => a + b) / count, 12);
      if (matches > 0) expect(found).toBeGreaterThanOrEqual(consensus(matches - 1, count) - 1e-12);
      expect(found).toBeGreaterThanOrEqual(0);
      expect(found).toBeLessThanOrEqual(1 + 1e-12);
    }
  });
});

describe('vqaText', () => {
  test.each([
    ['The Two dogs', '2 dogs'],
    ['none', '0'],
    ['an apple, a pear', 'apple pear'],
    ['blue/green', 'blue green'],
    ['blue / green', 'blue green'],
    ['t-shirt', 't shirt'],
    ['1,000-2', '10002'],
    ['3.5 m.', '3.5 m'],
    ['St. Louis', 'st louis'],
    ['dont', "don't"],
    ["couldnt've", "couldn't've"],
    ["couldn'tve", "couldn't've"],
    ['couldntve', 'couldntve'],
    ["somebody'd", 'somebodyd'],
    ['lets', 'lets'],
    ['10:30', '10:30'],
    ["dog's", "dog's"],
  ])('%s → %s', (text, expected) => {
    expect(vqaText(text)).toBe(expected);
  });

  test('more than 32 full stops: the rest stays, as the published code gives a flag for the count', () => {
    expect(vqaText('.'.repeat(34))).toBe('..');
  });
});

describe('evalAiText', () => {
  test.each([
    ["Dog's", "dog 's"],
    ['1,000?', '1000'],
    ['The one\nand only', '1 and only'],
  ])('%j → %j', (text, expected) => {
    expect(evalAiText(text)).toBe(expected);
  });
});

describe('accuracies', () => {
  const answers = (...counts: readonly [string, number][]): string[] =>
    counts.flatMap(([answer, count]) => Array.from({ length: count }, () => answer));

  test('words count as the same where the annotators differ', () => {
    expect(vqaAccuracy('Two', answers(['2', 8], ['3', 2]))).toBe(1);
    expect(vqaAccuracy('three.', answers(['2', 8], ['3', 2]))).toBeCloseTo(0.6, 12);
  });

  test('where all agree nothing is normalised by VQA, and everything by TextVQA', () => {
    expect(vqaAccuracy('Two', answers(['2', 10]))).toBe(0);
    expect(vqaAccuracy('2\n', answers(['2', 10]))).toBe(1);
    expect(textVqaAccuracy('Two', answers(['2', 10]))).toBe(1);
  });

  test('VizWiz: what cannot be answered is an answer like others', () => {
    expect(vqaAccuracy('Unanswerable', answers(['unanswerable', 3], ['cat', 7]))).toBeCloseTo(0.9, 12);
  });

  test('GQA takes the whole answer, but for case and the full stop', () => {
    expect(isGqaAnswer(' Left. ', 'left')).toBe(true);
    expect(isGqaAnswer('to the left', 'left')).toBe(false);
    expect(isGqaAnswer('the left', 'left')).toBe(false);
  });
});
