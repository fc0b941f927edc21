/** Parts of a loss: sums, their total, and who frees what. */
import { beforeAll, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { LossParts, stepWithLosses } from '../../src/nn/loss-parts.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

test('summands of a part add up, a part without any is 0, "loss" is the sum of all', async () => {
  const before = tf.memory().numTensors;
  const parts = new LossParts(['ce', 'bce', 'dice']);
  tf.tidy(() => {
    parts.add('ce', tf.scalar(2));
    parts.add('bce', tf.scalar(0.25));
    parts.add('bce', tf.scalar(0.5));
  });
  expect(await parts.read()).toEqual({ loss: 2.75, ce: 2, bce: 0.75, dice: 0 });
  parts.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test('a step gives its gradients to the caller and frees the parts, also where it throws', async () => {
  const before = tf.memory().numTensors;
  const { losses, gradients } = await stepWithLosses(['ce'], (parts) => {
    return new Map([['w', tf.tidy(() => tf.mul(parts.add('ce', tf.scalar(3)), 2))]]);
  });
  expect(losses).toEqual({ loss: 3, ce: 3 });
  expect(tf.memory().numTensors).toBe(before + 1);
  tf.dispose([...gradients.values()]);
  const failing = stepWithLosses(['ce'], (parts) => {
    tf.tidy(() => parts.add('ce', tf.scalar(3)));
    throw new Error('no luck');
  });
  await expect(failing).rejects.toThrow('no luck');
  expect(tf.memory().numTensors).toBe(before);
});
