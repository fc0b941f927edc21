/** Bicubic resizing against the cubic convolution written out per pixel (torch's a = −0.75, half-pixel centres). */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { bicubicMatrix, resizeBicubic } from '../../src/nn/bicubic.js';
import { Random } from '../../src/random.js';
import { largestDifference, normal, valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

/** Keys' cubic kernel with a = −3/4: of x ≤ 1, and of 1 < x < 2. */
function kernel(distance: number): number {
  const x = Math.abs(distance);
  if (x >= 2) return 0;
  return x <= 1 ? 1.25 * x ** 3 - 2.25 * x ** 2 + 1 : -0.75 * x ** 3 + 3.75 * x ** 2 - 6 * x + 3;
}

/** One channel [h][w] at a place, from all sixteen neighbours; beyond the border stands the border. */
function direct(image: (y: number, x: number) => number, h: number, w: number, v: number, u: number): number {
  let sum = 0;
  const clamp = (value: number, size: number): number => Math.max(0, Math.min(size - 1, value));
  for (let y = Math.floor(v) - 1; y <= Math.floor(v) + 2; y++) {
    for (let x = Math.floor(u) - 1; x <= Math.floor(u) + 2; x++) {
      sum += kernel(v - y) * kernel(u - x) * image(clamp(y, h), clamp(x, w));
    }
  }
  return sum;
}

describe('bicubicMatrix', () => {
  test.each([
    [8, 11],
    [8, 7],
    [5, 1],
    [1, 4],
    [6, 6],
  ])('the weights from %i to %i sum to 1 in each row', (from, to) => {
    const matrix = bicubicMatrix(from, to);
    expect(matrix).toHaveLength(from * to);
    for (let i = 0; i < to; i++) {
      const row = matrix.subarray(i * from, (i + 1) * from);
      expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 6);
    }
  });

  test('of the same size it is the identity', () => {
    const matrix = bicubicMatrix(4, 4);
    for (let i = 0; i < 16; i++) expect(matrix[i]).toBeCloseTo(i % 5 === 0 ? 1 : 0, 7);
  });
});

describe('resizeBicubic', () => {
  test.each([
    [5, 7, 9, 4],
    [8, 8, 11, 7],
    [2, 3, 6, 3],
  ])('%i × %i to %i × %i equals the sum over 16 neighbours', (h, w, height, width) => {
    const grid = normal(new Random(1), [h, w, 3]) as tf.Tensor3D;
    const values = valuesOf(grid);
    const before = tf.memory().numTensors;
    const found = tf.tidy(() => resizeBicubic(grid, height, width));
    expect(tf.memory().numTensors).toBe(before + 1);
    expect(found.shape).toEqual([height, width, 3]);
    const expected: number[] = [];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const [v, u] = [((y + 0.5) * h) / height - 0.5, ((x + 0.5) * w) / width - 0.5];
        for (let c = 0; c < 3; c++) {
          expected.push(direct((i, j) => values[(i * w + j) * 3 + c] as number, h, w, v, u));
        }
      }
    }
    expect(largestDifference(valuesOf(found), expected)).toBeLessThan(2e-6);
    tf.dispose([grid, found]);
  });

  test('of the same size it is the grid itself', () => {
    const grid = normal(new Random(2), [3, 4, 2]) as tf.Tensor3D;
    expect(resizeBicubic(grid, 3, 4)).toBe(grid);
    grid.dispose();
  });
});
