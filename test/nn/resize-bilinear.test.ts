/** Bilinear resizing of maps and doubling of grids against each pixel by its definition; their gradients by differences. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { doubleBilinear, resizeBilinear } from '../../src/nn/bilinear.js';
import { Random } from '../../src/random.js';
import { interpolate, toRows } from '../helpers/naive.js';
import { largestDifference, normal, valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

/** Sum of the output times fixed numbers, by the input: on tape, and by central differences in double precision. */
function expectSlopes(x: tf.Tensor3D, map: (x: tf.Tensor3D) => tf.Tensor3D): void {
  tf.tidy(() => {
    const weights = normal(new Random(9), map(x).shape);
    const loss = (input: tf.Tensor3D): tf.Scalar => tf.sum(tf.mul(map(input), weights));
    const gradient = valuesOf(tf.grad((input) => loss(input as tf.Tensor3D))(x));
    const values = valuesOf(x);
    // The map is linear: a difference of any size is the slope.
    for (let i = 0; i < values.length; i += 5) {
      const moved = (by: number): number => {
        const input = values.map((value, at) => (at === i ? value + by : value));
        return loss(tf.tensor3d(input, x.shape)).arraySync();
      };
      expect((moved(1) - moved(-1)) / 2).toBeCloseTo(gradient[i] as number, 4);
    }
  });
}

describe('resizeBilinear', () => {
  test.each([
    [4, 6, 11, 9],
    [8, 8, 3, 5],
    [2, 2, 2, 2],
    [16, 16, 75, 113],
  ])('%i × %i to %i × %i', (h, w, height, width) => {
    const x = normal(new Random(1), [2, h, w]) as tf.Tensor3D;
    const before = tf.memory().numTensors;
    const found = tf.tidy(() => resizeBilinear(x, height, width));
    expect([tf.memory().numTensors, found.shape]).toEqual([before + 1, [2, height, width]]);
    const maps = [0, 1].map((i) => toRows(valuesOf(x).subarray(i * h * w, (i + 1) * h * w), w));
    const expected = maps.flatMap((map) => interpolate(map, height, width).flat());
    expect(largestDifference(valuesOf(found), expected)).toBeLessThan(3e-6);
    tf.dispose([x, found]);
  });

  test('its gradient is the slope', () => {
    const x = normal(new Random(2), [2, 3, 5]) as tf.Tensor3D;
    expectSlopes(x, (input) => resizeBilinear(input, 7, 4));
    x.dispose();
  });
});

describe('doubleBilinear', () => {
  test.each([
    [2, 2],
    [3, 5],
    [6, 2],
  ])('%i × %i vectors, channel by channel', (h, w) => {
    const size = 3;
    const x = normal(new Random(3), [h, w, size]) as tf.Tensor3D;
    const before = tf.memory().numTensors;
    const found = tf.tidy(() => doubleBilinear(x));
    expect([tf.memory().numTensors, found.shape]).toEqual([before + 1, [2 * h, 2 * w, size]]);
    const values = valuesOf(x);
    for (let c = 0; c < size; c++) {
      const channel = values.filter((_, i) => i % size === c);
      const expected = interpolate(toRows(channel, w), 2 * h, 2 * w).flat();
      const own = valuesOf(found).filter((_, i) => i % size === c);
      expect(largestDifference(own, expected)).toBeLessThan(2e-6);
    }
    tf.dispose([x, found]);
  });

  test('its gradient is the slope', () => {
    const x = normal(new Random(4), [3, 2, 4]) as tf.Tensor3D;
    expectSlopes(x, doubleBilinear);
    x.dispose();
  });
});
