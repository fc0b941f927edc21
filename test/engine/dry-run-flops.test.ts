/** Arithmetic of a dry run: two operations for every product of every matrix product, whatever makes it. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { countFlops, startDryRun } from '../../src/engine/dry-run.js';
import { startEngine } from '../../src/engine/engine.js';
import * as fused from '../../src/engine/fused-ops.js';
import { PackedMatrix } from '../../src/engine/packed-matrix.js';
import * as tf from '../../src/engine/tf.js';

async function flopsOf(work: () => void): Promise<number> {
  return countFlops(() => {
    tf.tidy(() => {
      work();
    });
    return Promise.resolve();
  });
}

describe.each(['fused', 'formulas'] as const)('%s', (kind) => {
  beforeEach(async () => {
    await startDryRun(kind);
  });
  afterEach(async () => {
    await startEngine({ engine: 'cpu' });
  });

  test('products of matrices, transposed or not, a batch at once', async () => {
    const [a, b, c] = [tf.zeros([7, 3, 4]), tf.zeros([7, 4, 5]), tf.zeros([7, 5, 4])];
    expect(await flopsOf(() => tf.matMul(a, b))).toBe(2 * 7 * 3 * 4 * 5);
    expect(await flopsOf(() => tf.matMul(a, c, false, true))).toBe(2 * 7 * 3 * 4 * 5);
    expect(await flopsOf(() => tf.add(a, a))).toBe(0);
    tf.dispose([a, b, c]);
  });

  test('a linear layer, its way back twice as much, and a packed one', async () => {
    const [x, w] = [tf.zeros<tf.Rank.R3>([2, 3, 4]), tf.zeros<tf.Rank.R2>([4, 5])];
    const forward = 2 * (2 * 3) * 4 * 5;
    expect(await flopsOf(() => fused.linear(x, w, null))).toBe(forward);
    const gradients = tf.grads((x, w) => tf.sum(fused.linear(x, w as tf.Tensor2D, null)));
    expect(await flopsOf(() => gradients([x, w]))).toBe(3 * forward);
    const matrix = PackedMatrix.create(new Uint16Array(5 * 4), 'BF16', 5, 4);
    expect(await flopsOf(() => matrix.multiply(x))).toBe(forward);
    matrix.dispose();
    tf.dispose([x, w]);
  });
});

test('without a dry run there is nothing to count', async () => {
  await startEngine({ engine: 'cpu' });
  await expect(countFlops(() => Promise.resolve())).rejects.toThrow('no dry run was started');
});
