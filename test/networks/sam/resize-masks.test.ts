/** Masks at the image's size: two matrix products equal resizing, cropping and resizing step by step. */
import { beforeAll, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { resizeMasks } from '../../../src/nn/bilinear.js';
import { Random } from '../../../src/random.js';
import { interpolate, toRows } from '../../helpers/naive.js';
import { largestDifference, normal, valuesOf } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

test.each([
  { resized: [32, 20], original: [61, 38] },
  { resized: [14, 32], original: [9, 21] },
  { resized: [32, 32], original: [32, 32] },
  { resized: [1, 32], original: [2, 64] },
] as const)('a wide image, a tall one, a square, a line: %j', ({ resized, original }) => {
  const atStart = tf.memory().numTensors;
  const low = normal(new Random(1), [3, 8, 8], 5) as tf.Tensor3D;
  const full = tf.tidy(() => resizeMasks(low, { resized, original }, 32));
  expect(full.shape).toEqual([3, ...original]);
  const expected = [0, 1, 2].flatMap((index) => {
    const enlarged = interpolate(toRows(valuesOf(low).subarray(64 * index, 64 * index + 64), 8), 32, 32);
    const cropped = enlarged.slice(0, resized[0]).map((row) => row.slice(0, resized[1]));
    return interpolate(cropped, original[0], original[1]).flat();
  });
  expect(largestDifference(valuesOf(full), expected)).toBeLessThan(1e-5);
  tf.dispose([low, full]);
  expect(tf.memory().numTensors).toBe(atStart);
});
