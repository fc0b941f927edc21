/** Asking models of every variant: places and masks, [REJ] or the rule of pixels, several [SEG], free answers. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { segIds } from '../../src/systems/shared/model-config.js';
import { tokenizeConversation } from '../../src/data/text/conversation.js';
import { evaluationAnswer, questionOf, trainingAnswer } from '../../src/systems/gsva/prompts.js';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { parseAnswer, parseAnswerInOrder } from '../../src/systems/gsva/answers.js';
import { loadPredictor } from '../../src/inference/load-predictor.js';
import { Predictor } from '../../src/inference/predictor.js';
import { teacherForce } from '../../src/inference/teacher-forcing.js';
import { forcedDecision, readNextToken } from '../../src/inference/token-decision.js';
import { Random } from '../../src/random.js';
import type { Variant } from '../../src/systems/shared/variant.js';
import { TOKENIZER_DIR } from '../helpers/small-experiment.js';
import { smallModel } from '../helpers/small-model.js';
import { configOf, SMALL_EIGHT, tokenizerOf, VARIANT_NAMES, VARIANTS } from '../helpers/variants.js';
import { largestGap, randomImage } from './tiny-predictor.js';
import { writeModel } from '../helpers/model-folder.js';
import { system } from '../../src/systems/gsva/system.js';
import type { Answer } from '../../src/systems/system.js';

const EXPRESSIONS = ['red circle', 'green bar', 'both squares'];
const ANSWERS: readonly Answer[] = ['found', 'absent', 'found'];
const image = randomImage(40, 60, 3);
let tensors = 0;

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensors); // no test leaves a tensor behind
});

async function withPredictor<T>(variant: Variant, use: (predictor: Predictor) => Promise<T>): Promise<T> {
  const predictor = new Predictor(system, smallModel(7, configOf(variant)), tokenizerOf(variant), 'plain', { variant });
  try {
    return await use(predictor);
  } finally {
    predictor.dispose();
  }
}

test('what is put in the mouth of each variant', () => {
  const given = VARIANT_NAMES.map((name) => {
    const variant = VARIANTS[name];
    const targets = EXPRESSIONS.map((expression, i) => ({ expression, isEmpty: ANSWERS[i] === 'absent' }));
    const groups = variant.multipleSeg ? [targets] : targets.map((target) => [target]);
    return [name, groups.map((some) => evaluationAnswer(some, variant)).join(' | ')];
  });
  expect(Object.fromEntries(given)).toEqual({
    gsva: 'Sure,red circle:[SEG], green bar:[REJ], both squares:[SEG].',
    'no-reject': 'Sure,red circle:[SEG], green bar:[SEG], both squares:[SEG].',
    'single-seg': 'Sure,red circle:[SEG]. | Sure,green bar:[SEG]. | Sure,both squares:[SEG].',
    lisa: '[SEG] | [SEG] | [SEG]',
    'no-expression': 'Sure, [SEG], [REJ], [SEG].',
    'eight-seg': 'Sure,red circle:[SEG], green bar:[REJ], both squares:[SEG002].',
  });
  expect(questionOf('reference', ['red circle'], VARIANTS.lisa)).toBe(
    '<image>\n What is red circle in this image? Please output segmentation mask.',
  );
  expect(questionOf('where', ['a', 'b'], VARIANTS.gsva)).toBe(
    '<image>\nWhere are a, b in this image? Please output segmentation masks.',
  );
});

describe.each(VARIANT_NAMES)('%s', (name) => {
  const variant = VARIANTS[name];

  test('forced, asked and written freely: a result for each expression, in order', () =>
    withPredictor(variant, async (predictor) => {
      const [encoded] = await predictor.encode([image]);
      if (encoded === undefined) throw new Error('not encoded');
      const question = { image: encoded, expressions: EXPRESSIONS, form: 'trained' as const };
      const [forced] = await predictor.force([{ ...question, answers: ANSWERS }]);
      const asked = await predictor.ask(question);
      const free = await predictor.generate(question, { maxTokens: 3 });
      for (const reply of [forced, asked, free]) {
        expect(reply?.results.map(({ expression }) => expression)).toEqual(EXPRESSIONS);
        expect(reply?.question.split('<image>')).toHaveLength(variant.multipleSeg ? 2 : 4);
      }
      expect(forced?.masks.map(({ height, width }) => [height, width])).toEqual([
        [40, 60],
        [40, 60],
        [40, 60],
      ]);
      if (variant.reject) return;
      // The mask alone decides, and what is asked is what is forced: both have [SEG] everywhere.
      for (const [i, result] of (forced?.results ?? []).entries()) {
        const pixels = forced?.masks[i]?.data.reduce((sum, value) => sum + value, 0) ?? 0;
        expect([result.status, result.area]).toEqual(pixels < 50 ? ['rejected', 0] : ['segmented', pixels]);
        expect(result.rejectProbability).toBeNull();
        expect(asked.results[i]?.area).toBe(result.area);
      }
      expect(asked.answer).not.toContain('[REJ]');
    }));

  test('every training answer is understood when the model writes it itself', () => {
    const { tokens } = configOf(variant);
    const tokenizer = tokenizerOf(variant);
    const targets = EXPRESSIONS.map((expression, i) => ({ expression, isEmpty: ANSWERS[i] === 'absent' }));
    const groups = variant.multipleSeg ? [targets] : targets.map((target) => [target]);
    for (let seed = 0; seed < 20; seed++) {
      for (const some of groups) {
        const ids = tokenizer.encode(trainingAnswer(new Random(seed), some, 'res', variant), { addBos: false });
        const parts: { text: string; answer: Answer }[] = [];
        let begin = 0;
        for (const [i, id] of ids.entries()) {
          if (id !== tokens.rej && !segIds(tokens).includes(id)) continue;
          const text = tokenizer.decode(ids.slice(begin, i), { skipSpecial: true });
          parts.push({ text, answer: id === tokens.rej ? 'absent' : 'found' });
          begin = i + 1;
        }
        const parse = variant.expressionBeforeSeg ? parseAnswer : parseAnswerInOrder;
        const asked = some.map(({ expression }) => expression);
        expect(parse(parts, asked)).toEqual({ parts: some.map((_, i) => i), unknown: [], repeated: [], unanswered: 0 });
        const wanted = some.map(({ isEmpty }) => (isEmpty && variant.reject ? 'absent' : 'found'));
        expect(parts.map(({ answer }) => answer)).toEqual(wanted);
      }
    }
  });
});

test('answers in order: what is missing and what is too much', () => {
  const part = { text: '', answer: 'found' } as const;
  expect(parseAnswerInOrder([part], ['a', 'b'])).toEqual({
    parts: [0, null],
    unknown: [],
    repeated: [],
    unanswered: 1,
  });
  expect(parseAnswerInOrder([part, part], ['a'])).toEqual({ parts: [0], unknown: [1], repeated: [], unanswered: 0 });
});

test('a smaller number of pixels makes less absent', () =>
  withPredictor({ ...VARIANTS['no-reject'], minimumPixels: 0 }, async (predictor) => {
    const { results } = await predictor.segment(image, EXPRESSIONS);
    const threshold = predictor.segment(image, EXPRESSIONS, { rejectThreshold: 0.5 });
    await expect(threshold).rejects.toThrow('rejectThreshold is for models with [REJ]');
    expect(results.map(({ status }) => status)).toEqual(['segmented', 'segmented', 'segmented']);
    const strict = new Predictor(system, predictor.network, predictor.asking.tokenizer, 'plain', {
      variant: { ...VARIANTS['no-reject'], minimumPixels: 40 * 60 + 1 },
    });
    const none = await strict.segment(image, EXPRESSIONS);
    expect(none.results.map(({ status, mask }) => [status, mask])).toEqual(EXPRESSIONS.map(() => ['rejected', null]));
  }));

test('eight [SEG]: any of them is [SEG], and their probabilities stand together against that of [REJ]', () => {
  const { tokens } = SMALL_EIGHT;
  const vocabulary = system.vocabulary(SMALL_EIGHT, { variant: VARIANTS['eight-seg'] });
  const last = tokens.moreSegs?.at(-1) ?? 0;
  expect([forcedDecision(last, tokens.seg, vocabulary), forcedDecision(last, tokens.rej ?? -1, vocabulary)]).toEqual([
    'found',
    'found',
  ]);
  const logits = new Float32Array(SMALL_EIGHT.llm.vocabSize).fill(-50);
  for (const id of segIds(tokens)) logits[id] = 2;
  logits[tokens.rej ?? -1] = 2 + Math.log(8);
  expect(readNextToken(logits, vocabulary).rejectProbability).toBeCloseTo(0.5, 6);
});

test('eight [SEG]: the second pass reads each [REJ] as the [SEG] of its place', () =>
  withPredictor(VARIANTS['eight-seg'], async (predictor) => {
    const { network } = predictor;
    const { tokenizer, vocabulary } = predictor.asking;
    const [encoded] = await predictor.encode([image]);
    if (encoded === undefined) throw new Error('not encoded');
    const conversation = (answers: readonly Answer[]) => {
      const targets = EXPRESSIONS.map((expression, i) => ({ expression, isEmpty: answers[i] === 'absent' }));
      const assistant = evaluationAnswer(targets, VARIANTS['eight-seg']);
      return tokenizeConversation(tokenizer, 'plain', [{ user: '<image>\nWhat is it?', assistant }]);
    };
    const [rejected] = await teacherForce(network, vocabulary, [
      { image: encoded, conversation: conversation(['found', 'absent', 'absent']) },
    ]);
    const [present] = await teacherForce(network, vocabulary, [
      { image: encoded, conversation: conversation(['found', 'found', 'found']) },
    ]);
    for (const [i, { data }] of (rejected?.masks ?? []).entries()) {
      expect(largestGap(data, present?.masks[i]?.data ?? [])).toBeLessThan(1e-4);
    }
    expect(rejected?.masks).toHaveLength(3);
  }));

test('a folder keeps the variant and the ids, and gives them back', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'gsva-variant-'));
  try {
    for (const name of ['eight-seg', 'lisa', 'gsva'] as const) {
      const variant = VARIANTS[name];
      const gsva = smallModel(7, configOf(variant));
      const meta = {
        conversation: 'plain',
        stage: 'gsva',
        description: 'small',
        ...(name === 'gsva' ? {} : { variant }),
      };
      await writeModel(scratch, gsva, { meta, tokenizerDir: TOKENIZER_DIR });
      gsva.dispose();
      const loaded = await loadPredictor(scratch);
      expect(loaded.predictor.asking.vocabulary).toEqual(system.vocabulary(configOf(variant), { variant }));
      expect(loaded.meta.variant).toEqual(name === 'gsva' ? undefined : variant);
      expect(loaded.predictor.network.config).toEqual(configOf(variant));
      expect(loaded.predictor.asking.tokenizer.tokenId('[SEG007]')).toBe(name === 'eight-seg' ? 610 : undefined);
      loaded.predictor.dispose();
    }
  } finally {
    rmSync(scratch, { recursive: true });
  }
});
