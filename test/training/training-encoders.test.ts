/** The task of a recipe that trains its encoder too (SELF1E): each picture once, however many questions are about it. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReferDataset, type ReferRecord, type ReferSource } from '../../src/data/refer/refer-dataset.js';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import type { Predictor } from '../../src/inference/predictor.js';
import { encodePng } from '../../src/io/image/image-file.js';
import { NOTHING_FOUND } from '../../src/features/feature-store.js';
import { Random } from '../../src/random.js';
import type { Self1e } from '../../src/systems/self1e/model.js';
import { system } from '../../src/systems/self1e/system.js';
import { GroundingTask, type GroundingSample } from '../../src/training/grounding-task.js';
import { fixture } from '../helpers/fixtures.js';
import { self1eOf, self1ePredictor } from '../helpers/tiny-self1e.js';
import { randomImage } from '../inference/tiny-predictor.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-encoders-'));
const SIZES = [
  [24, 60],
  [30, 30],
] as const;
let predictor: Predictor;
let model: Self1e;

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  predictor = self1ePredictor({ most: 4, thumbnail: false });
  model = self1eOf(predictor);
  for (const [i, [height, width]] of SIZES.entries()) {
    writeFileSync(join(scratch, `${i}.png`), await encodePng(randomImage(height, width, i)));
  }
});

afterAll(() => {
  predictor.dispose();
  rmSync(scratch, { recursive: true });
});

/** A dataset whose records stand in the test. */
class ListedDataset extends ReferDataset {
  static of(source: ReferSource): ListedDataset {
    return new ListedDataset(source);
  }
}

function makeTask(): GroundingTask {
  const about = (imageId: number, ...sentences: string[]): ReferRecord => {
    return { index: 0, imageId, annotationIds: [1], sentences };
  };
  const dataset = ListedDataset.of({
    ...{ name: 'test', recordsFile: 'test', split: 'train' },
    records: [about(0, 'red square'), about(0, 'green bar'), about(1, 'blue circle')],
    instances: {
      source: 'test',
      images: new Map(SIZES.map(([height, width], id) => [id, { fileName: `${id}.png`, height, width }])),
      segmentations: new Map([[1, [[4, 4, 14, 4, 14, 14, 4, 14]]]]),
    },
    imagePath: (fileName) => join(scratch, fileName),
  });
  const { tokenizer, vocabulary, dialogue } = predictor.asking;
  return new GroundingTask({
    ...{ system, model, tokenizer, vocabulary, lessons: dialogue.lessons },
    ...{ tokenizerDir: fixture('self1e-tokenizer'), conversation: 'internvl2_5', maxLength: 400 },
    data: {
      sets: [dataset.trainingSet('test')],
      weights: null,
      sample: { perSample: 3, absentClasses: 0 },
      workers: 0,
    },
    meta: { conversation: 'internvl2_5', stage: 'grounding', description: 'test' },
  });
}

async function samplesOf(task: GroundingTask): Promise<GroundingSample[]> {
  const stream = task.samples(new Random(1), () => undefined);
  const found = new Map<string, GroundingSample>();
  for (let position = 0; found.size < SIZES.length && position < 20; position++) {
    const sample = await stream.at(position);
    if (sample !== null) found.set(sample.name, sample);
  }
  await stream.close?.();
  return [...found.values()].sort((a, b) => a.conversations.length - b.conversations.length);
}

describe('a task whose encoder trains', () => {
  test('a sample has the picture in tiles, a conversation for each expression, and no features', async () => {
    const [one, two] = await samplesOf(makeTask());
    expect([one?.conversations.length, two?.conversations.length]).toEqual([1, 2]);
    expect([one?.image?.grid, two?.image?.grid]).toEqual([
      { columns: 1, rows: 1 },
      { columns: 2, rows: 1 },
    ]);
    expect(two?.image?.inputs['vit']?.length).toBe(2 * 32 * 32 * 3);
    expect(two?.found).toBe(NOTHING_FOUND);
  });

  test('a step on both is the one on their rows put together by hand; the encoder has gradients', async () => {
    const task = makeTask();
    const samples = await samplesOf(task);
    const numTensors = tf.memory().numTensors;
    const { losses, gradients } = await task.forwardBackward(samples, new Random(2));
    expect(tf.memory().numTensors).toBe(numTensors + gradients.size);
    expect([...gradients.keys()].sort()).toEqual([...task.variables.keys()].sort());
    expect(gradients.has('vision_model.encoder.layers.0.attn.qkv.lora_A.default.weight')).toBe(true);
    // One picture at a time: CE is a mean over tokens, masks are divided by conversations.
    const alone = await Promise.all(
      samples.map(async (sample) => {
        const found = await task.forwardBackward([sample], new Random(2));
        tf.dispose([...found.gradients.values()]);
        const tokens = sample.conversations
          .flatMap(({ tokenized }) => tokenized.labels)
          .filter((id) => id !== -100).length;
        return { ...found.losses, tokens, rows: sample.conversations.length };
      }),
    );
    const mean = (name: string, weight: 'tokens' | 'rows'): number => {
      const sum = (of: (each: Record<string, number>) => number): number =>
        alone.reduce((all, each) => all + of(each), 0);
      return sum((each) => (each[name] ?? NaN) * (each[weight] ?? NaN)) / sum((each) => each[weight] ?? NaN);
    };
    expect(losses['ce']).toBeCloseTo(mean('ce', 'tokens'), 4);
    expect(losses['bce']).toBeCloseTo(mean('bce', 'rows'), 4);
    expect(losses['dice']).toBeCloseTo(mean('dice', 'rows'), 4);
    tf.dispose([...gradients.values()]);
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  test('a picture of two tiles that is another changes the losses', async () => {
    const task = makeTask();
    const samples = await samplesOf(task);
    const lossOf = async (batch: readonly GroundingSample[]): Promise<number> => {
      const { losses, gradients } = await task.forwardBackward(batch, new Random(2));
      tf.dispose([...gradients.values()]);
      return losses['loss'] ?? NaN;
    };
    const changed = samples.map((sample) => {
      const vit = sample.image?.inputs['vit']?.map((value, i) => (i > 32 * 32 * 3 ? -value : value));
      return sample.image === null || vit === undefined
        ? sample
        : { ...sample, image: { ...sample.image, inputs: { vit } } };
    });
    expect(Math.abs((await lossOf(changed)) - (await lossOf(samples)))).toBeGreaterThan(1e-3);
  });
});
