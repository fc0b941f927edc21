/** GSVA's task: what it gives of an image, that answers and masks agree, that images are encoded once, checkpoints. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { segIds } from '../../src/systems/shared/model-config.js';
import { type AnySet, PUBLISHED_WEIGHTS } from '../../src/data/sampling/sample-source.js';
import { ReferDataset, type ReferRecord, type ReferSource } from '../../src/data/refer/refer-dataset.js';
import type { VqaRequest } from '../../src/data/vqa/llava-instruct.js';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { encodePng } from '../../src/io/image/image-file.js';
import { writePendingFiles } from '../../src/io/atomic/pending-file.js';
import type { LlavaSam } from '../../src/systems/shared/llava-sam.js';
import { gsvaLessons } from '../../src/systems/gsva/dialogue.js';
import { system } from '../../src/systems/gsva/system.js';
import { GSVA_VARIANT } from '../../src/systems/shared/variant.js';
import { Random } from '../../src/random.js';
import { encoderDigests, FeatureFiles } from '../../src/features/feature-files.js';
import {
  type GroundingConversation,
  type GroundingData,
  GroundingTask,
  type GroundingSample,
  type GroundingTaskOptions,
} from '../../src/training/grounding-task.js';
import { FeatureStore } from '../../src/features/feature-store.js';
import { imageKey } from '../../src/features/image-key.js';
import { randomImage } from '../inference/tiny-predictor.js';
import { SMALL_TEXT, smallTokenizer, TOKENIZER_DIR } from '../helpers/small-experiment.js';
import { configOf, tokenizerOf, VARIANT_NAMES, VARIANTS } from '../helpers/variants.js';
import { smallModel } from '../helpers/small-model.js';
import { culpritOfLoss } from '../../src/training/loop/update-step.js';
import { plantNaN, valuesOf, variablesOf } from '../helpers/tensors.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-task-'));
const tokenizer = smallTokenizer();
const { seg, rej = -1 } = SMALL_TEXT.tokens;
let gsva: LlavaSam;

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

function referSet(): AnySet {
  const images = new Map([1, 2, 3].map((id) => [id, { fileName: `${id}.png`, height: 24, width: 36 }]));
  const segmentations = new Map<number, unknown>([
    [1, SQUARE],
    [2, BAR],
  ]);
  const dataset = ListedDataset.of({
    name: 'test',
    recordsFile: 'test',
    split: 'train',
    records: RECORDS,
    instances: { source: 'test', images, segmentations },
    imagePath: (fileName) => join(scratch, fileName),
  });
  return dataset.trainingSet('test');
}

/** Questions in words alone, about the images of the given numbers. */
function vqaSet(ids: readonly number[], question = 'what is it?'): AnySet {
  const requests = ids.map((id) => ({
    kind: 'vqa' as const,
    set: 'words',
    image: join(scratch, `${id}.png`),
    source: 'test',
    sentences: [
      { from: 'human', value: `<image>\n${question}` },
      { from: 'gpt', value: 'a red circle' },
    ],
  }));
  return { name: 'words', kind: 'vqa', length: ids.length, requestAt: (index) => requests[index] as VqaRequest };
}

function modelOptions(
  model: LlavaSam,
  variant = GSVA_VARIANT,
): Pick<GroundingTaskOptions, 'model' | 'vocabulary' | 'lessons'> {
  const { tokens } = model.config;
  return {
    model,
    vocabulary: { found: segIds(tokens), absent: variant.reject ? [tokens.rej ?? -1] : [] },
    lessons: (facts, random) => gsvaLessons(facts, random, variant),
  };
}

function makeTask(
  expressionsPerSample: number,
  maxLength = 400,
  data: Partial<GroundingData> = {},
  options: Partial<GroundingTaskOptions> = {},
): GroundingTask {
  return new GroundingTask({
    ...modelOptions(gsva),
    system,
    tokenizer,
    tokenizerDir: TOKENIZER_DIR,
    conversation: 'plain',
    data: {
      sets: [referSet()],
      weights: null,
      sample: { perSample: expressionsPerSample, absentClasses: 0 },
      workers: 0,
      ...data,
    },
    maxLength,
    meta: { conversation: 'plain', stage: 'gsva', description: 'test' },
    ...options,
  });
}

const ignore = (): void => undefined;

/** What the run of a seed makes of the image at an index, in its first epoch. */
async function draw(task: GroundingTask, index: number, seed: number): Promise<GroundingSample> {
  const stream = task.samples(new Random(seed), ignore);
  for (let position = 0; position < task.sampleCount; position++) {
    const sample = await stream.at(position);
    if (sample?.key === `${index} test`) return sample;
  }
  throw new Error(`no sample of image ${index}`);
}

/** The only conversation of a sample. */
function only({ conversations: [conversation, ...others] }: GroundingSample): GroundingConversation {
  if (conversation === undefined || others.length > 0) throw new Error('not one conversation');
  return conversation;
}

function count(sample: GroundingSample, id: number): number {
  return only(sample).tokenized.labels.filter((label) => label === id).length;
}

describe('samples', () => {
  test.each(VARIANT_NAMES)('%s: the same targets, a mask for each [SEG], and a step on them', async (name) => {
    const variant = VARIANTS[name];
    const { segTokens, multipleSeg, reject } = variant;
    const own = segTokens === 1 ? gsva : smallModel(4, configOf(variant));
    const tensors = tf.memory().numTensors;
    const sample = { perSample: 4, absentClasses: 0 };
    const task = makeTask(4, 400, { sample }, { ...modelOptions(own, variant), tokenizer: tokenizerOf(variant) });
    const drawn = await draw(task, 0, 1);
    expect(drawn.conversations).toHaveLength(multipleSeg ? 1 : 4);
    const masks = drawn.conversations.flatMap((conversation) => conversation.masks.masks);
    expect(masks.map(({ data }) => data.includes(1))).toEqual(
      reject ? [true, true] : expect.arrayContaining([true, false]),
    );
    expect(masks).toHaveLength(reject ? 2 : 4);
    expect(drawn.conversations.reduce((sum, { masks: { rejected } }) => sum + rejected, 0)).toBe(reject ? 2 : 0);
    const { losses, gradients } = await task.forwardBackward([drawn], new Random(1));
    expect(losses['loss']).toBeGreaterThan(0);
    expect(gradients.has('model.text_hidden_fcs.0.0.weight')).toBe(true);
    tf.dispose([...gradients.values()]);
    expect(tf.memory().numTensors).toBe(tensors);
    if (own !== gsva) own.dispose();
  });

  test.each([
    ['model.layers.0.mlp.up_proj.weight', 'layer 0 of the LLM'],
    ['model.norm.weight', "the LLM's last norm"],
    ['lm_head.weight', "the LLM's head"],
    ['model.text_hidden_fcs.0.2.weight', 'ψ'],
    ['model.visual_model.mask_decoder.mask_tokens.weight', "SAM's mask decoder"],
  ])('a loss that is not finite for a NaN in %s names %s', async (name, part) => {
    const own = smallModel(4, SMALL_TEXT);
    const task = makeTask(4, 400, {}, modelOptions(own));
    const drawn = await draw(task, 0, 1);
    plantNaN(own, name);
    const before = tf.memory().numTensors;
    const { losses, gradients } = await task.forwardBackward([drawn], new Random(1));
    expect(losses['loss']).toBeNaN();
    tf.dispose([...gradients.values()]);
    const culprit = await culpritOfLoss(task, [drawn], new Random(1));
    expect(culprit).toContain(`The first part that is not finite is ${part}`);
    expect(culprit).toContain(`${name} holds 1 NaN of `);
    expect(tf.memory().numTensors).toBe(before);
    own.dispose();
  });

  test('the vision tower: the update stops where the images are encoded', async () => {
    const own = smallModel(4, SMALL_TEXT);
    const task = makeTask(4, 400, {}, modelOptions(own));
    const name = 'model.vision_tower.vision_tower.vision_model.pre_layrnorm.bias';
    plantNaN(own, name);
    const drawn = await draw(task, 0, 1);
    await expect(task.forwardBackward([drawn], new Random(1))).rejects.toThrow(`${name} holds 1 NaN`);
    own.dispose();
  });

  test('runs with the same encoders share features: the second does not load the images again', async () => {
    const features = new FeatureStore(imageKey);
    const [first, second] = [makeTask(2, 400, {}, { features }), makeTask(2, 400, {}, { features })];
    const drawn = await draw(first, 0, 1);
    expect(drawn.image).not.toBeNull();
    const { gradients } = await first.forwardBackward([drawn], new Random(1));
    const again = await draw(second, 0, 1);
    expect(again.image).toBeNull();
    const { gradients: same } = await second.forwardBackward([again], new Random(1));
    for (const [key, gradient] of gradients) expect(valuesOf(same.get(key) as tf.Tensor)).toEqual(valuesOf(gradient));
    tf.dispose([...gradients.values(), ...same.values()]);
  });

  test('one [SEG] per mask and one [REJ] per absent expression, at most as many as asked', async () => {
    for (const perSample of [1, 2, 3, 8]) {
      const task = makeTask(perSample);
      for (const [index, available] of [4, 2, 3].entries()) {
        for (let seed = 0; seed < 10; seed++) {
          const sample = await draw(task, index, seed);
          expect(count(sample, seg)).toBe(only(sample).masks.masks.length);
          expect(count(sample, rej)).toBe(only(sample).masks.rejected);
          expect(count(sample, seg) + count(sample, rej)).toBe(Math.min(perSample, available));
          for (const mask of only(sample).masks.masks) {
            expect([mask.height, mask.width]).toEqual([24, 36]);
            expect(mask.data).toContain(1);
          }
        }
      }
    }
  });

  test('masks stand in the order of their [SEG]', async () => {
    const task = makeTask(4);
    const seen = new Set<string>();
    for (let seed = 0; seed < 12; seed++) {
      const { tokenized, masks } = only(await draw(task, 0, seed));
      const words = tokenizer.decode(tokenized.labels.filter((label) => label >= 0));
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
      expect(only(await draw(task, 1, seed)).masks.rejected).toBe(0);
    }
    const nothing = await draw(makeTask(2), 2, 1);
    expect(only(nothing).masks).toEqual({ masks: [], rejected: 2 });
  });

  test('a conversation cut to its length keeps the masks whose [SEG] it still holds, and can be trained on', async () => {
    const whole = only(await draw(makeTask(8), 0, 3));
    const firstSeg = whole.tokenized.labels.indexOf(seg);
    const task = makeTask(8, firstSeg + 1);
    const cut = await draw(task, 0, 3);
    expect(only(cut).tokenized.inputIds).toEqual(whole.tokenized.inputIds.slice(0, firstSeg + 1));
    expect(only(cut).masks.masks).toEqual(whole.masks.masks.slice(0, 1));
    expect(only(cut).masks.rejected).toBe(count(cut, rej));
    const { losses, gradients } = await task.forwardBackward([cut], new Random(0));
    expect(Object.values(losses).every(Number.isFinite)).toBe(true);
    tf.dispose([...gradients.values()]);
  });

  test('the same draw gives the same sample; names say the file', async () => {
    const task = makeTask(3);
    const [a, b, c] = await Promise.all([7, 7, 8].map((seed) => draw(task, 0, seed)));
    expect(a).toEqual(b);
    expect(a?.conversations).not.toEqual(c?.conversations);
    expect(task.nameOf(a as GroundingSample)).toBe(join(scratch, '1.png'));
  });
});

describe('forwardBackward', () => {
  test('encodes an image once: then it is not read again, and the losses are those of a fresh encoding', async () => {
    const task = makeTask(3);
    const batch = [await draw(task, 0, 0), await draw(task, 1, 1)];
    expect(batch.map(({ image }) => image === null)).toEqual([false, false]);
    const before = tf.memory().numTensors;
    const first = await task.forwardBackward(batch, new Random(0));
    expect(tf.memory().numTensors).toBe(before + first.gradients.size);
    const again = [await draw(task, 0, 0), await draw(task, 1, 1)];
    expect(again.map(({ image }) => image)).toEqual([null, null]);
    expect((await draw(task, 2, 2)).image).not.toBeNull();
    const second = await task.forwardBackward(again, new Random(0));
    expect(second.losses).toEqual(first.losses);
    tf.dispose([...first.gradients.values(), ...second.gradients.values()]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('the same image twice in a batch, and a batch with no mask at all', async () => {
    const task = makeTask(2);
    const twice = await Promise.all([1, 2].map((seed) => draw(task, 0, seed)));
    const none = [await draw(task, 2, 1)];
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

describe('data sets', () => {
  test('a conversation in words alone is trained on without a mask, beside others and by itself', async () => {
    const task = makeTask(2, 400, { sets: [referSet(), vqaSet([1, 2])] });
    const stream = task.samples(new Random(1), ignore);
    const all = await Promise.all([0, 1, 2, 3, 4].map((position) => stream.at(position)));
    const batch = all.filter((sample) => sample !== null);
    const words = batch.filter(({ key }) => key.endsWith(' words'));
    expect([task.sampleCount, batch.length, words.length]).toEqual([5, 5, 2]);
    for (const sample of words) expect(only(sample).masks).toEqual({ masks: [], rejected: 0 });
    // F_V2 sees the images that masks are asked for, and no others: image 3 has none that could be.
    expect(
      batch
        .filter(({ image }) => image?.inputs['sam'] !== undefined)
        .map(({ key }) => key)
        .sort(),
    ).toEqual(['0 test', '1 test']);
    const encoded = jest.spyOn(gsva.encoders.sam, 'forwardSteps');
    for (const samples of [batch, words]) {
      const { losses, gradients } = await task.forwardBackward(samples, new Random(0));
      expect(Object.values(losses).every(Number.isFinite)).toBe(true);
      expect(losses['bce'] === 0 && losses['dice'] === 0).toBe(samples === words);
      expect(losses['ce']).toBeGreaterThan(0);
      tf.dispose([...gradients.values()]);
    }
    expect(encoded.mock.calls.map(([images]) => images.shape[0])).toEqual([2]);
    encoded.mockRestore();
  });

  test('a mixture draws its kinds by weight, the same for the same seed', async () => {
    const sets = [referSet(), vqaSet([1, 2, 3])];
    const task = makeTask(2, 400, { sets, weights: { ...PUBLISHED_WEIGHTS, refer_seg: 1, vqa: 4 } });
    const keys = async (seed: number): Promise<string[]> => {
      const stream = task.samples(new Random(seed), ignore);
      return Promise.all(Array.from({ length: 60 }, async (_, at) => (await stream.at(at))?.key ?? ''));
    };
    const [first, again, other] = [await keys(1), await keys(1), await keys(2)];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    const words = first.filter((key) => key.endsWith(' words')).length;
    expect(words).toBeGreaterThan(36);
    expect(words).toBeLessThan(60);
  });

  test('what cannot be used is passed over and said: a missing image, a question that fills the conversation', async () => {
    const said: string[] = [];
    const report = (message: string): void => void said.push(message);
    const missing = makeTask(2, 400, { sets: [vqaSet([1, 9])] }).samples(new Random(1), report);
    const samples = await Promise.all([0, 1].map((position) => missing.at(position)));
    expect(samples.filter((sample) => sample === null)).toHaveLength(1);
    await missing.close?.();
    const long = makeTask(2, 20, { sets: [vqaSet([1], 'what is it? '.repeat(20))] });
    expect(await long.samples(new Random(1), report).at(0)).toBeNull();
    expect(said).toEqual([
      expect.stringMatching(/^A sample of words is left out: Cannot read .*9\.png as an image: there is no such file/),
      '1 of 2 samples could not be used.',
      expect.stringMatching(/left out: a question about .*1\.png fills all 20 tokens\.$/),
    ]);
  });
});

describe('features on disk', () => {
  /** Losses of whole epochs with weights that move, and which images were decoded in each epoch. */
  async function epochs(features: FeatureStore): Promise<{ losses: unknown[]; decoded: number[] }> {
    const own = smallModel(4, SMALL_TEXT);
    const sets = [referSet(), vqaSet([1, 2])];
    const task = makeTask(2, 400, { sets }, { ...modelOptions(own), features });
    const stream = task.samples(new Random(1), ignore);
    const losses: unknown[] = [];
    const decoded: number[] = [];
    for (let epoch = 0; epoch < 3; epoch++) {
      decoded.push(0);
      for (let first = 0; first < 5; first++) {
        const sample = (await stream.at(5 * epoch + first)) as GroundingSample;
        if (sample.image !== null) decoded[epoch] = (decoded[epoch] ?? 0) + 1;
        const step = await task.forwardBackward([sample], new Random(1));
        losses.push(step.losses);
        for (const [name, gradient] of step.gradients) {
          const variable = task.variables.get(name) as tf.Variable;
          tf.tidy(() => variable.assign(tf.sub(variable, tf.mul(gradient, 1e-2))));
        }
        tf.dispose([...step.gradients.values()]);
      }
    }
    await stream.close?.();
    own.dispose();
    return { losses, decoded };
  }

  test('from the second epoch on no image is decoded, nor in another run; losses are bit for bit the same', async () => {
    const encoders = await encoderDigests(gsva);
    const options = { maxBytes: 1e8, dtype: 'F32' as const, encoders };
    const before = tf.memory().numTensors;
    const plain = await epochs(new FeatureStore(imageKey));
    // Images 1 and 2 are in both sets, under one key: what one set has computed the other need not.
    expect(plain.decoded[0]).toBeLessThanOrEqual(5);
    expect(plain.decoded.slice(1)).toEqual([0, 0]);
    const cached: { losses: unknown[]; decoded: number[] }[] = [];
    // Nothing is kept in memory here: all comes from disk.
    for (let run = 0; run < 2; run++) {
      cached.push(
        await epochs(new FeatureStore(imageKey, 0, await FeatureFiles.open(join(scratch, 'cache'), options))),
      );
    }
    expect(cached.map(({ losses }) => losses)).toEqual([plain.losses, plain.losses]);
    expect(cached[0]?.decoded).toEqual(plain.decoded);
    expect(cached[1]?.decoded).toEqual([0, 0, 0]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('checkpoints', () => {
  test('restore brings back every weight that checkpointFiles wrote', async () => {
    const task = makeTask(2);
    const dir = join(scratch, 'checkpoint');
    mkdirSync(dir);
    writePendingFiles(dir, await task.checkpointFiles());
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
