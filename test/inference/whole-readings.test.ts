/**
 * Answers of a system whose masks need a reading of the whole conversation (SELF1E): forced, asked and written; pictures
 * of several tiles in one batch; several rounds over a cache.
 */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { type EncodedImage, stackFeatures } from '../../src/features/image-features.js';
import { rowsAbout } from '../../src/features/image-rows.js';
import { ChatSession } from '../../src/inference/conversation.js';
import { Opening } from '../../src/inference/decoding-session.js';
import { drawMasks, masksOfConversation } from '../../src/inference/draw-masks.js';
import { generate } from '../../src/inference/generate.js';
import type { Predictor } from '../../src/inference/predictor.js';
import { teacherForce } from '../../src/inference/teacher-forcing.js';
import { padBatch, tokenizeQuestion } from '../../src/data/text/conversation.js';
import { SELF1E_STYLE } from '../../src/verification/self1e-words.js';
import { self1eOf, self1ePredictor } from '../helpers/tiny-self1e.js';
import { largestGap, randomImage } from './tiny-predictor.js';

beforeAll(async () => {
  await startEngine();
});

let predictor: Predictor;
let before = 0;
beforeEach(() => {
  before = tf.memory().numTensors;
  predictor = self1ePredictor({ most: 4, thumbnail: true });
});
afterEach(() => {
  predictor.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

const WIDE = randomImage(40, 90, 1);
const SQUARE = randomImage(30, 30, 2);
const HIGH = randomImage(90, 40, 3);
const TEXTS = ['red circle', 'green bar'];

/** Makes the head write a token wherever it writes another. */
function writeInstead(of: number, token: number): void {
  const parameter = self1eOf(predictor).namedParameters().get('language_model.lm_head.weight');
  const size = self1eOf(predictor).config.llm.vocabSize;
  const order = Array.from({ length: size }, (_, id) => (id === of ? token : id === token ? of : id));
  tf.tidy(() => {
    const weight = parameter?.variable.read() as tf.Tensor;
    parameter?.variable.write(tf.gather(weight, tf.tensor1d(order, 'int32'), 1));
  });
}

test('the length of a question counts all tiles that a picture may have, and the thumbnail', () => {
  const { positions, patches } = predictor.network;
  const longest = (one: Predictor): number => {
    const fits = (words: number): boolean => one.refusal([new Array<string>(words).fill('bar').join(' ')]) === null;
    let words = 1;
    while (fits(words + 1)) words++;
    return words;
  };
  const squashed = self1ePredictor();
  try {
    expect(positions).toBeGreaterThan(6 * patches);
    const [tiled, whole] = [longest(predictor), longest(squashed)];
    const perWord = predictor.asking.tokenizer.encode(' bar').length;
    expect((whole - tiled) * perWord).toBe(4 * patches);
  } finally {
    squashed.dispose();
  }
});

describe('drawMasks', () => {
  test('pictures of several grids of tiles in one reading: each mask is that of its picture alone', async () => {
    const { network, asking } = predictor;
    const images = await predictor.encode([WIDE, SQUARE, HIGH]);
    expect(images.map(({ grid }) => grid)).toEqual([
      { columns: 2, rows: 1 },
      { columns: 1, rows: 1 },
      { columns: 1, rows: 2 },
    ]);
    const [{ turn } = { turn: { user: '', assistant: '' } }] = asking.dialogue.exam(
      ['red circle'],
      ['found'],
      'reference',
    );
    const conversation = asking.tokenized(turn);
    const rows = rowsAbout(network, padBatch([conversation, conversation, conversation], 0), images);
    const features = stackFeatures(network, images);
    const reading = network.read(rows, features);
    const places = rows.statesBefore(asking.vocabulary.found).map(({ row, position }) => ({ row, states: [position] }));
    const masks = await drawMasks(network, reading, places, images);
    reading.dispose();
    tf.dispose(Object.values(features));
    expect(masks.map(({ height, width }) => [height, width])).toEqual([
      [40, 90],
      [30, 30],
      [90, 40],
    ]);
    for (const [i, image] of images.entries()) {
      const at = conversation.inputIds.findIndex((id) => asking.vocabulary.found.includes(id));
      const [alone] = await masksOfConversation(network, image, conversation.inputIds, [at]);
      expect(largestGap(alone?.data ?? [], masks[i]?.data ?? [])).toBeLessThan(5e-5);
    }
  });

  test('a place without a picture is refused', async () => {
    const [image] = await predictor.encode([SQUARE]);
    const { network } = predictor;
    const rows = rowsAbout(network, padBatch([{ inputIds: [5, -200, 6], labels: [-100, -100, -100] }], 0), [
      image as EncodedImage,
    ]);
    const features = stackFeatures(network, [image as EncodedImage]);
    const reading = network.read(rows, features);
    await expect(drawMasks(network, reading, [{ row: 0, states: [1] }], [])).rejects.toThrow('row 0 of 0');
    reading.dispose();
    tf.dispose(Object.values(features));
  });
});

describe('a forced answer', () => {
  test('all questions as one batch are as each alone, and asking is the same', async () => {
    const { asking, network } = predictor;
    const images = await predictor.encode([WIDE, SQUARE]);
    const conversations = TEXTS.map((text) => {
      const [exam] = asking.dialogue.exam([text], ['found'], 'reference');
      return asking.tokenized(exam?.turn ?? { user: '', assistant: '' });
    });
    const items = images.flatMap((image) => conversations.map((conversation) => ({ image, conversation })));
    const answers = await teacherForce(network, asking.vocabulary, items);
    expect(answers.map(({ masks }) => masks.length)).toEqual([1, 1, 1, 1]);
    for (const [i, item] of items.entries()) {
      const [alone] = await teacherForce(network, asking.vocabulary, [item]);
      expect(alone?.decisions).toEqual([{ answer: 'found', rejectProbability: 0 }]);
      expect(alone?.outputIds).toEqual(item.conversation.inputIds);
      expect(largestGap(alone?.masks[0]?.data ?? [], answers[i]?.masks[0]?.data ?? [])).toBeLessThan(5e-5);
    }
    const [image] = images as [EncodedImage];
    const forced = await predictor.force([{ image, expressions: TEXTS, answers: ['found', 'found'] }]);
    const asked = await predictor.ask({ image, expressions: TEXTS, form: 'reference' });
    expect(forced[0]?.masks.map(({ height, width }) => [height, width])).toEqual([
      [40, 90],
      [40, 90],
    ]);
    expect(asked.results.map(({ expression }) => expression)).toEqual(TEXTS);
    for (const [i, result] of asked.results.entries()) {
      if (result.status === 'segmented') expect(result.mask.data).toEqual(forced[0]?.masks[i]?.data);
      expect(['segmented', 'empty-mask', 'rejected']).toContain(result.status);
    }
  });
});

describe('a written answer', () => {
  test('each [SEG] gets the mask of the conversation as it was written; an opening changes nothing', async () => {
    const { asking, network } = predictor;
    const [image] = (await predictor.encode([WIDE])) as [EncodedImage];
    const turn = asking.dialogue.chat.turn('How many shapes?', true);
    const prompt = tokenizeQuestion(asking.tokenizer, SELF1E_STYLE, turn, true);
    const first = await generate(network, asking.vocabulary, image, prompt, { maxTokens: 1 });
    const [seg] = asking.vocabulary.found as [number];
    writeInstead(first.ids[0] as number, seg);
    const found = await generate(network, asking.vocabulary, image, prompt, { maxTokens: 4 });
    expect(found.ids[0]).toBe(seg);
    expect(found.decisions.map(({ answer }) => answer)).toEqual(
      found.ids.flatMap((id) => (id === seg ? ['found'] : [])),
    );
    for (const { index, mask } of found.decisions) {
      const ids = [...prompt, ...found.ids];
      const [expected] = await masksOfConversation(network, image, ids, [prompt.length + index]);
      expect(mask?.data).toEqual(expected?.data);
      expect([mask?.height, mask?.width]).toEqual([40, 90]);
    }
    const opening = new Opening(network, image);
    const again = await generate(network, asking.vocabulary, image, prompt, { maxTokens: 4, opening });
    opening.dispose();
    expect(again.ids).toEqual(found.ids);
  });

  test('segmenting a picture by words, in both modes', async () => {
    const asked = await predictor.segment(WIDE, TEXTS);
    expect(asked.results).toHaveLength(2);
    const written = await predictor.segment(WIDE, ['red circle'], { mode: 'generate', maxTokens: 3 });
    expect(written.results).toHaveLength(1);
  });
});

describe('a chat', () => {
  test('several rounds over the cache are as each prompt read at once', async () => {
    const { network, asking } = predictor;
    const [image] = (await predictor.encode([HIGH])) as [EncodedImage];
    const session = new ChatSession(predictor, image);
    const ids: number[] = [];
    const questions = ['How many shapes?', 'Which is red? Wow!', 'And what is on the left?'];
    for (const [round, question] of questions.entries()) {
      const reply = await session.ask(question, { maxTokens: 5 });
      const turn = asking.dialogue.chat.turn(question, round === 0);
      ids.push(...tokenizeQuestion(asking.tokenizer, SELF1E_STYLE, turn, round === 0));
      const whole = await generate(network, asking.vocabulary, image, ids, { maxTokens: 5 });
      expect(reply.text).toBe(asking.dialogue.chat.shown(asking.tokenizer, whole.ids));
      if (round > 0) expect(reply.read).toBeLessThan(60);
      ids.push(...whole.ids, asking.vocabulary.end);
    }
    // The picture's three tiles of 16 tokens stand once.
    expect(ids.filter((id) => id === -200)).toHaveLength(1);
    session.restart();
    expect((await session.ask('How many shapes?', { maxTokens: 5 })).question).toBe('How many shapes?');
    session.dispose();
  });

  test('a [SEG] in a later round is drawn on the whole conversation', async () => {
    const { network, asking } = predictor;
    const [image] = (await predictor.encode([SQUARE])) as [EncodedImage];
    const [seg] = asking.vocabulary.found as [number];
    const session = new ChatSession(predictor, image);
    await session.ask('How many shapes?', { maxTokens: 2 });
    const turn = (text: string, isFirst: boolean) => {
      return tokenizeQuestion(asking.tokenizer, SELF1E_STYLE, asking.dialogue.chat.turn(text, isFirst), isFirst);
    };
    const start = turn('How many shapes?', true);
    const first = await generate(network, asking.vocabulary, image, start, { maxTokens: 2 });
    const prompt = [...start, ...first.ids, asking.vocabulary.end, ...turn('Which is red?', false)];
    const next = await generate(network, asking.vocabulary, image, prompt, { maxTokens: 1 });
    writeInstead(next.ids[0] as number, seg);
    const reply = await session.ask('Which is red?', { maxTokens: 1 });
    expect(reply.findings).toHaveLength(1);
    const [mask] = await masksOfConversation(network, image, [...prompt, seg], [prompt.length]);
    const [finding] = reply.findings;
    const area = mask?.data.reduce((sum, value) => sum + Number(value >= 0), 0) ?? 0;
    expect(area).toBeGreaterThan(0);
    if (finding?.status === 'segmented') expect(finding.area).toBe(area);
    else expect(area).toBeLessThan(50);
    session.dispose();
  });
});
