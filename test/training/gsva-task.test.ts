/** GSVA's task: what it draws of an image, that answers and masks agree, that images are encoded once, checkpoints. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReferDataset, type ReferRecord, type ReferSource } from '../../src/data/refer-dataset.js';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { encodePng } from '../../src/io/image-file.js';
import type { Gsva } from '../../src/model/gsva.js';
import { Random } from '../../src/random.js';
import { GsvaTask, type GsvaSample } from '../../src/training/gsva-task.js';
import { randomImage } from '../inference/tiny-predictor.js';
import { SMALL_TEXT, smallTokenizer, TOKENIZER_DIR } from '../helpers/small-experiment.js';
import { smallModel } from '../helpers/small-model.js';
import { valuesOf, variablesOf } from '../helpers/tensors.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-task-'));
const tokenizer = smallTokenizer();
const { seg, rej } = SMALL_TEXT.tokens;
let gsva: Gsva;

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  gsva = smallModel(4, SMALL_TEXT);
  for (const id of [1, 2, 3]) writeFileSync(join(scratch, `${id}.png`), await encodePng(randomImage(24, 36, id)));
});

afterAll(() => {
  gsva.dispose();
  rmSync(scratch, { recursive: true });
});

/** A dataset whose records stand in the test. */
class ListedDataset extends ReferDataset {
  static of(source: ReferSource): ListedDataset {
    return new ListedDataset(source);
  }
}

const SQUARE = [[4, 4, 14, 4, 14, 14, 4, 14]];
const BAR = [[20, 2, 30, 2, 30, 20, 20, 20]];
const present = (imageId: number, ids: number[], ...sentences: string[]): ReferRecord => {
  return { index: 0, imageId, annotationIds: ids, sentences };
};

/** Image 1: two things and two that are absent; image 2: one of two is absent; image 3: nothing is there. */
const RECORDS: readonly ReferRecord[] = [
  present(1, [1], 'red square'),
  present(1, [2], 'green bar'),
  present(1, [], 'blue circle', 'white bar'),
  present(2, [1], 'left square'),
  present(2, [], 'right circle'),
  present(3, [], 'purple bar', 'yellow circle', 'top circle'),
];

function makeTask(expressionsPerSample: number, maxLength = 400): GsvaTask {
  const images = new Map([1, 2, 3].map((id) => [id, { fileName: `${id}.png`, height: 24, width: 36 }]));
  const segmentations = new Map<number, unknown>([
    [1, SQUARE],
    [2, BAR],
  ]);
  const instances = { source: 'test', images, segmentations };
  return new GsvaTask({
    gsva,
    tokenizer,
    tokenizerDir: TOKENIZER_DIR,
    conversation: 'plain',
    dataset: ListedDataset.of({
      name: 'test',
      recordsFile: 'test',
      split: 'train',
      records: RECORDS,
      instances,
      imagePath: (fileName) => join(scratch, fileName),
    }),
    expressionsPerSample,
    maxLength,
    meta: { conversation: 'plain', stage: 'gsva', description: 'test' },
  });
}

function count({ conversation }: GsvaSample, id: number): number {
  return conversation.labels.filter((label) => label === id).length;
}

describe('prepare', () => {
  test('one [SEG] per mask and one [REJ] per absent expression, at most as many as asked', async () => {
    for (const perSample of [1, 2, 3, 8]) {
      const task = makeTask(perSample);
      for (const [index, available] of [4, 2, 3].entries()) {
        for (let seed = 0; seed < 10; seed++) {
          const sample = await task.prepare(index, new Random(seed));
          expect(count(sample, seg)).toBe(sample.masks.masks.length);
          expect(count(sample, rej)).toBe(sample.masks.rejected);
          expect(count(sample, seg) + count(sample, rej)).toBe(Math.min(perSample, available));
          for (const mask of sample.masks.masks) {
            expect([mask.height, mask.width]).toEqual([24, 36]);
            expect(mask.data).toContain(1);
          }
        }
      }
    }
  });

  test('masks stand in the order of their [SEG]', async () => {
    const task = makeTask(8);
    const seen = new Set<string>();
    for (let seed = 0; seed < 12; seed++) {
      const { conversation, masks } = await task.prepare(0, new Random(seed));
      const words = tokenizer.decode(conversation.labels.filter((label) => label >= 0));
      const squareFirst = words.indexOf('red square') < words.indexOf('green bar');
      // The square has the pixel (8, 8), the bar (8, 24).
      expect(masks.masks.map(({ data }) => data[8 * 36 + 8])).toEqual(squareFirst ? [1, 0] : [0, 1]);
      expect(masks.masks.map(({ data }) => data[8 * 36 + 24])).toEqual(squareFirst ? [0, 1] : [1, 0]);
      seen.add(String(squareFirst));
    }
    expect(seen.size).toBe(2);
  });

  test('a draw of absent expressions alone is drawn again; an image that has no others is accepted', async () => {
    const task = makeTask(1);
    for (let seed = 0; seed < 60; seed++) {
      // Half of the first draws are absent; eleven in a row would be one in two thousand.
      expect((await task.prepare(1, new Random(seed))).masks.rejected).toBe(0);
    }
    const nothing = await makeTask(2).prepare(2, new Random(1));
    expect(nothing.masks).toEqual({ masks: [], rejected: 2 });
  });

  test('a conversation cut to its length keeps the masks whose [SEG] it still holds, and can be trained on', async () => {
    const whole = await makeTask(8).prepare(0, new Random(3));
    const firstSeg = whole.conversation.labels.indexOf(seg);
    const task = makeTask(8, firstSeg + 1);
    const cut = await task.prepare(0, new Random(3));
    expect(cut.conversation.inputIds).toEqual(whole.conversation.inputIds.slice(0, firstSeg + 1));
    expect(cut.masks.masks).toEqual(whole.masks.masks.slice(0, 1));
    expect(cut.masks.rejected).toBe(count(cut, rej));
    const { losses, gradients } = await task.forwardBackward([cut], new Random(0));
    expect(Object.values(losses).every(Number.isFinite)).toBe(true);
    tf.dispose([...gradients.values()]);
  });

  test('the same draw gives the same sample; names say the file', async () => {
    const task = makeTask(3);
    const [a, b, c] = await Promise.all([7, 7, 8].map((seed) => task.prepare(0, new Random(seed))));
    expect(a).toEqual(b);
    expect(a?.conversation).not.toEqual(c?.conversation);
    expect(task.nameOf(a as GsvaSample)).toBe(join(scratch, '1.png'));
    await expect(task.prepare(3, new Random(1))).rejects.toThrow('no image 3 in 3');
  });
});

describe('forwardBackward', () => {
  test('encodes an image once: then it is not read again, and the losses are those of a fresh encoding', async () => {
    const task = makeTask(3);
    const draw = (index: number): Promise<GsvaSample> => task.prepare(index, new Random(index));
    const batch = [await draw(0), await draw(1)];
    expect(batch.map(({ image }) => image === null)).toEqual([false, false]);
    const before = tf.memory().numTensors;
    const first = await task.forwardBackward(batch, new Random(0));
    expect(tf.memory().numTensors).toBe(before + first.gradients.size);
    const again = [await draw(0), await draw(1)];
    expect(again.map(({ image }) => image)).toEqual([null, null]);
    expect((await draw(2)).image).not.toBeNull();
    const second = await task.forwardBackward(again, new Random(0));
    expect(second.losses).toEqual(first.losses);
    tf.dispose([...first.gradients.values(), ...second.gradients.values()]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('the same image twice in a batch, and a batch with no mask at all', async () => {
    const task = makeTask(2);
    const twice = await Promise.all([1, 2].map((seed) => task.prepare(0, new Random(seed))));
    const none = [await task.prepare(2, new Random(1))];
    for (const batch of [twice, none]) {
      const { losses, gradients } = await task.forwardBackward(batch, new Random(0));
      expect(Object.values(losses).every(Number.isFinite)).toBe(true);
      const masks = [...gradients.keys()].filter((name) => name.startsWith('model.visual_model.mask_decoder.'));
      expect(masks.length > 0).toBe(batch === twice);
      // A rejection counts as an empty mask predicted with probability a half: a constant, as in the reference.
      if (batch === none) expect(losses['bce']).toBeCloseTo(SMALL_TEXT.loss.bce * Math.LN2, 5);
      tf.dispose([...gradients.values()]);
    }
  });
});

describe('checkpoints', () => {
  test('restore brings back every weight that checkpointFiles wrote', async () => {
    const task = makeTask(2);
    const dir = join(scratch, 'checkpoint');
    mkdirSync(dir);
    await task.checkpointFiles(dir);
    expect(readdirSync(dir)).toEqual(
      expect.arrayContaining(['config.json', 'meta.json', 'model.safetensors', 'tokenizer.model']),
    );
    const before = new Map([...variablesOf(gsva)].map(([name, variable]) => [name, valuesOf(variable)]));
    for (const variable of task.variables.values()) tf.tidy(() => variable.assign(tf.add(variable, 1)));
    await task.restore(dir);
    for (const [name, variable] of variablesOf(gsva))
      expect([name, valuesOf(variable)]).toEqual([name, before.get(name)]);
  });
});
