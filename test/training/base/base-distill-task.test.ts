/** A smaller F_V2 learns from a larger one: what trains, that it gets nearer, and that nothing is left behind. */
import { beforeAll, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { Random } from '../../../src/random.js';
import { BaseDistillTask } from '../../../src/training/base/base-distill-task.js';
import { AdamW } from '../../../src/training/optimizer/optimizer.js';
import { ScenePool } from '../../../src/training/base/base-task.js';
import { SMALL, smallModel } from '../../helpers/small-model.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

test("the student's image embeddings come nearer to the teacher's; its encoder alone moves", async () => {
  const before = tf.memory().numTensors;
  const gsva = smallModel(1, { ...SMALL, sam: { ...SMALL.sam, depth: 1, globalAttnIndexes: [0] } });
  const task = new BaseDistillTask({
    gsva,
    teacher: smallModel(2),
    pool: new ScenePool(3),
    validationScenes: 0,
    scenes: 4,
    save: () => Promise.resolve([]),
    load: () => Promise.resolve(),
  });
  expect([...task.variables.keys()].every((name) => name.startsWith('model.visual_model.image_encoder.'))).toBe(true);
  const options = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, clipNorm: null };
  const optimizer = new AdamW(task.variables, options);
  const stream = task.samples(new Random(1));
  const batch = (await Promise.all([0, 1].map((position) => stream.at(position)))).filter((sample) => sample !== null);
  expect(task.nameOf(batch[0] as (typeof batch)[number])).toMatch(/^base scene \d$/);
  const held = tf.memory().numTensors;
  const losses: number[] = [];
  for (let i = 0; i < 6; i++) {
    const { losses: found, gradients } = await task.forwardBackward(batch);
    expect([...gradients.keys()].sort()).toEqual([...task.variables.keys()].sort());
    optimizer.apply(gradients, 0.02, 1);
    tf.dispose([...gradients.values()]);
    expect(found['mse']).toBe(found['loss']);
    losses.push(found['loss'] as number);
  }
  expect(losses.at(-1)).toBeLessThan(0.8 * (losses[0] as number));
  expect(tf.memory().numTensors).toBe(held);
  await stream.close?.();
  optimizer.dispose();
  gsva.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
