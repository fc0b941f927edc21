/** A freely written answer: every [SEG] and [REJ] of it is reported, what matches nothing asked with its mask too. */
import { expect, test } from '@jest/globals';
import { readTokenizer } from '../../src/data/read-tokenizer.js';
import { type Reader, readFreeAnswer } from '../../src/inference/segment-result.js';
import type { GeneratedAnswer } from '../../src/inference/generate.js';
import { ADDED_TOKENS } from '../../src/systems/shared/decision-tokens.js';
import { GSVA_VARIANT, type Variant } from '../../src/systems/shared/variant.js';
import { fixture } from '../helpers/fixtures.js';
import { parseModelConfig } from '../../src/systems/shared/model-config.js';
import { readJson } from '../../src/io/json/json-file.js';
import { system } from '../../src/systems/gsva/system.js';

const tokenizer = readTokenizer(fixture('tokenizer'));
tokenizer.addTokens(ADDED_TOKENS);
const [seg = -1, rej = -1] = ['[SEG]', '[REJ]'].map((token) => tokenizer.tokenId(token) ?? -1);

/** As generate gives it: mask k (from 1) has its first k pixels inside; a mask of no pixel for `empty`. */
function written(text: string, empty: readonly number[] = []): GeneratedAnswer {
  const ids = tokenizer.encode(text, { addBos: false });
  const decisions = [...ids.entries()]
    .filter(([, id]) => id === seg || id === rej)
    .map(([index, id], i) => {
      const data = Float32Array.from({ length: 12 }, (_, at) => (at <= i && !empty.includes(i) ? 2 : -2));
      const answer = id === seg ? ('found' as const) : ('absent' as const);
      const mask = answer === 'found' ? { data, height: 3, width: 4 } : null;
      return { index, answer, rejectProbability: answer === 'found' ? 0.1 : 0.9, mask };
    });
  return { ids, decisions, end: 'end-of-text' };
}

function readerOf(variant: Variant): Reader {
  const config = parseModelConfig(readJson(fixture('gsva-tiny', 'config.json'), 'sizes'), 'config.json');
  return {
    tokenizer,
    vocabulary: system.vocabulary(config, { variant }),
    dialogue: system.dialogue(config, { variant }),
  };
}

const model = readerOf(GSVA_VARIANT);

test('what matches nothing asked keeps its mask, box, area, score and text', () => {
  const answer = written('Sure, they are red circle:[SEG], blue bar:[SEG], green square:[REJ].');
  const { results, unmatched, faults } = readFreeAnswer(model, answer, ['red circle', 'left star']);
  expect(results.map(({ status, area }) => [status, area])).toEqual([
    ['segmented', 1],
    ['no-seg-token', 0],
  ]);
  expect(faults).toEqual({ unknown: 2, repeated: 0, unanswered: 1 });
  const [bar, square] = unmatched;
  expect(unmatched).toHaveLength(2);
  expect(bar).toMatchObject({ status: 'segmented', repeats: null, area: 2, box: [0, 0, 2, 1], rejectProbability: 0.1 });
  expect([...(bar?.mask?.data ?? [])]).toEqual([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect(bar?.score).toBeCloseTo(1 / (1 + Math.exp(-2)), 6);
  expect(bar?.text).toContain('blue bar');
  expect(square).toMatchObject({ status: 'rejected', repeats: null, mask: null, rejectProbability: 0.9 });
});

test('a second answer to an expression keeps its mask and says what it repeats', () => {
  const answer = written('Sure, red circle:[SEG], red circle:[SEG].');
  const { results, unmatched } = readFreeAnswer(model, answer, ['red circle']);
  expect(results).toMatchObject([{ expression: 'red circle', status: 'segmented', area: 1 }]);
  expect(unmatched).toMatchObject([{ repeats: 'red circle', status: 'segmented', area: 2 }]);
});

test('a mask without a pixel is no find, matched or not', () => {
  const answer = written('Sure, red circle:[SEG], blue bar:[SEG], star:[SEG].', [0, 1]);
  const { results, unmatched } = readFreeAnswer(model, answer, ['red circle']);
  expect(results).toMatchObject([{ status: 'empty-mask', area: 0, box: null, score: 0 }]);
  expect(unmatched.map(({ status }) => status)).toEqual(['empty-mask', 'segmented']);
});

test('answers without expressions: what is too much is reported', () => {
  const variant = { ...GSVA_VARIANT, expressionBeforeSeg: false };
  const { results, unmatched } = readFreeAnswer(readerOf(variant), written('Sure, [SEG], [SEG].'), ['red circle']);
  expect(results).toMatchObject([{ status: 'segmented', area: 1 }]);
  expect(unmatched).toMatchObject([{ status: 'segmented', area: 2, repeats: null }]);
});
