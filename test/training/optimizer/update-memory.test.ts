/** An update of the optimiser needs little memory beside what is there already: weights, gradients and moments. */
import { describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import { findInstallation } from '../../../src/engine/tensorflow-installation.js';
import * as tf from '../../../src/engine/tf.js';
import { AdamW } from '../../../src/training/optimizer/optimizer.js';

/** What configs/bench-small trains: embedding, head, ψ, LoRA, and F_mask as so many matrices. */
const SHAPES: readonly (readonly number[])[] = [
  [4004, 512],
  [512, 4004],
  [512, 512],
  [512, 256],
  ...Array.from({ length: 32 }, () => [512, 8]),
  ...Array.from({ length: 4 }, () => [256, 2048]),
  ...Array.from({ length: 28 }, () => [256, 256]),
  [256],
];

describe.each(['wasm', ...(findInstallation() === null ? [] : ['tensorflow'])])('engine %s', (engine) => {
  test('an update takes less than a fifth of the trainable bytes, gradient norm and first update too', async () => {
    await startEngine({ engine, threads: 1 });
    const variables = new Map(
      SHAPES.map((shape, i) => [`v${i}`, tf.tidy(() => tf.variable(tf.ones([...shape])))] as const),
    );
    const gradients = new Map([...variables].map(([name, { shape }]) => [name, tf.fill(shape, 0.1)] as const));
    const bytes = [...variables.values()].reduce((sum, { size }) => sum + 4 * size, 0);
    const optimizer = new AdamW(variables, { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 });
    const before = tf.memory().numBytes;
    const { peakBytes } = await tf.profile(async () => {
      for (let update = 0; update < 2; update++) {
        optimizer.apply(gradients, 1e-3, await optimizer.globalNorm(gradients));
      }
      return tf.scalar(0);
    });
    // On WASM nothing is computed by TensorFlow.js, and nothing allocated.
    const extra = Math.max(0, peakBytes - before);
    expect(extra > 0).toBe(engine === 'tensorflow');
    expect(extra / bytes).toBeLessThan(0.2);
    expect(tf.memory().numBytes - before).toBeLessThanOrEqual(4); // the scalar of the profile
    optimizer.dispose();
    tf.dispose([...variables.values(), ...gradients.values()]);
  });
});
