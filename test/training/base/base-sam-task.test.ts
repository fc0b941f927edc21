/** The base's SAM task: prompts in the resized image's pixels, figures of validation, one step. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import type { LlavaSam } from '../../../src/systems/shared/llava-sam.js';
import { Random } from '../../../src/random.js';
import { BaseSamTask, type SamSample } from '../../../src/training/base/base-sam-task.js';
import { ScenePool } from '../../../src/training/base/base-task.js';
import { SMALL, smallModel } from '../../helpers/small-model.js';
import { plantNaN, valuesOf } from '../../helpers/tensors.js';

const PROMPTS = 5;
let gsva: LlavaSam;

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  gsva = smallModel(6);
});

afterAll(() => {
  gsva.dispose();
});

function makeTask(calls: string[] = []): BaseSamTask {
  return new BaseSamTask({
    gsva,
    pool: new ScenePool(3),
    scenes: 4,
    promptsPerScene: PROMPTS,
    validationScenes: 18, // more than one batch, the last one small
    save: () => {
      calls.push('save');
      return Promise.resolve([]);
    },
    load: (dir) => Promise.resolve(void calls.push(`load ${dir}`)),
  });
}

function draw(task: BaseSamTask): SamSample[] {
  return [0, 1].map((index) => task.prepare(index, new Random(index)));
}

describe('prepare', () => {
  test('as many prompts as told, a mask for each, foreground points on their mask', async () => {
    for (const { prompts, targets } of draw(makeTask())) {
      expect(prompts).toHaveLength(PROMPTS);
      expect(targets.masks).toEqual(prompts.map(({ mask }) => mask));
      expect(targets.rejected).toBe(0);
      for (const { points, mask } of prompts) {
        expect([mask.height, mask.width]).toEqual(targets.original);
        for (const { x, y, label } of points) {
          if (label <= 1) expect(mask.data[Math.floor(y) * mask.width + Math.floor(x)]).toBe(label);
        }
      }
    }
  });
});

describe('forwardBackward', () => {
  test('points reach the prompt encoder in pixels of the resized image, two per prompt, padded with label -1', async () => {
    const task = makeTask();
    const batch = draw(task);
    const seen: { coordinates: Float32Array; labels: Float32Array }[] = [];
    const forward = gsva.promptEncoder.forward.bind(gsva.promptEncoder);
    const spy = jest.spyOn(gsva.promptEncoder, 'forward').mockImplementation((prompts) => {
      seen.push({ coordinates: valuesOf(prompts.coordinates), labels: valuesOf(prompts.labels) });
      return forward(prompts);
    });
    try {
      tf.dispose([...(await task.forwardBackward(batch)).gradients.values()]);
    } finally {
      spy.mockRestore();
    }
    const side = SMALL.sam.imageSize;
    const prompts = batch.flatMap((sample) => sample.prompts);
    const { coordinates = [], labels = [] } = seen[0] ?? {};
    expect(labels).toHaveLength(2 * prompts.length);
    for (const [i, { points, mask }] of prompts.entries()) {
      // The longest side becomes the square's, the other one is rounded.
      const longest = Math.max(mask.width, mask.height);
      const [scaleX, scaleY] = [mask.width, mask.height].map(
        (length) => Math.round((length * side) / longest) / length,
      );
      for (const at of [0, 1]) {
        const point = points[at];
        expect(labels[2 * i + at]).toBe(point?.label ?? -1);
        expect(coordinates[4 * i + 2 * at]).toBeCloseTo((point?.x ?? 0) * (scaleX ?? 0), 3);
        expect(coordinates[4 * i + 2 * at + 1]).toBeCloseTo((point?.y ?? 0) * (scaleY ?? 0), 3);
      }
    }
    expect([...labels]).toContain(-1);
  });

  test('a step along the gradients lowers the loss; only they are left behind', async () => {
    const task = makeTask();
    const batch = draw(task);
    const before = tf.memory().numTensors;
    const first = await task.forwardBackward(batch);
    expect(tf.memory().numTensors).toBe(before + first.gradients.size);
    for (const [name, gradient] of first.gradients) {
      const variable = task.variables.get(name) as tf.Variable;
      tf.tidy(() => {
        variable.assign(tf.sub(variable, tf.mul(gradient, 1e-3)));
      });
    }
    const second = await task.forwardBackward(batch);
    expect(second.losses['loss']).toBeLessThan(first.losses['loss'] ?? 0);
    tf.dispose([...first.gradients.values(), ...second.gradients.values()]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

test('validate: mean IoU in [0, 1], the same every time, nothing left behind', async () => {
  const task = makeTask();
  const before = tf.memory().numTensors;
  const figures = await task.validate();
  expect(Object.keys(figures)).toEqual(['maskIoU']);
  expect((figures['maskIoU'] ?? -1) >= 0 && (figures['maskIoU'] ?? 2) <= 1).toBe(true);
  expect(await task.validate()).toEqual(figures);
  expect(tf.memory().numTensors).toBe(before);
});

test('validate: a NaN in the decoder is no IoU', async () => {
  const own = smallModel(3);
  const task = new BaseSamTask({
    gsva: own,
    pool: new ScenePool(3),
    ...{ scenes: 4, promptsPerScene: PROMPTS, validationScenes: 2 },
    save: () => Promise.resolve([]),
    load: () => Promise.resolve(),
  });
  const name = 'model.visual_model.mask_decoder.output_upscaling.0.bias';
  plantNaN(own, name);
  await expect(task.validate()).rejects.toThrow(`SAM's mask decoder (F_mask): ${name} holds 1 NaN`);
  own.dispose();
});

test('validate: masks that cover everything have the IoU of the whole picture', async () => {
  const task = makeTask();
  const spy = jest.spyOn(gsva.maskDecoder, 'forward').mockImplementation(({ imageEmbeddings }) => {
    const lowResMasks = tf.ones<tf.Rank.R3>([imageEmbeddings.shape[0], 16, 16]);
    return { lowResMasks } as ReturnType<typeof gsva.maskDecoder.forward>;
  });
  try {
    const samples = Array.from({ length: 18 }, (_, i) => task.prepare(4 + i, new Random(4 + i)));
    const shares = samples.flatMap(({ targets }) =>
      targets.masks.map(({ data }) => data.reduce((sum, value) => sum + value, 0) / data.length),
    );
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    expect((await task.validate())['maskIoU']).toBeCloseTo(mean, 6);
  } finally {
    spy.mockRestore();
  }
});

test('checkpoints go through what the caller gave', async () => {
  const calls: string[] = [];
  const task = makeTask(calls);
  await task.checkpointFiles();
  await task.restore('b');
  expect(calls).toEqual(['save', 'load b']);
});
