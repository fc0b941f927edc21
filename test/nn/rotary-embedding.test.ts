/** Rotary tables equal the angles of Su et al. in double precision, and attention then depends on distances only. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as fused from '../../src/engine/fused-ops.js';
import * as tf from '../../src/engine/tf.js';
import { rotaryTables } from '../../src/nn/attention.js';
import { Random } from '../../src/random.js';
import { largestDifference, normal, valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

describe('rotaryTables', () => {
  test.each([
    { start: 0, time: 16, size: 12, theta: 10000 },
    { start: 900, time: 4, size: 128, theta: 10000 },
    { start: 3, time: 5, size: 6, theta: 500000 },
  ])('hold cos and sin of position · θ^(-2j/size) for %j', ({ start, time, size, theta }) => {
    const { cos, sin } = rotaryTables(start, time, size, theta);
    expect([cos.shape, sin.shape]).toEqual([
      [time, size],
      [time, size],
    ]);
    const angles = Array.from({ length: time * size }, (_, i) => {
      const pair = (i % size) % (size / 2);
      return (start + Math.floor(i / size)) * theta ** ((-2 * pair) / size);
    });
    // A float32 angle of position p is right to p · 2⁻²³ or so.
    const tolerance = 1e-7 + (start + time) * 2 ** -23;
    expect(largestDifference(valuesOf(cos), angles.map(Math.cos))).toBeLessThan(tolerance);
    expect(largestDifference(valuesOf(sin), angles.map(Math.sin))).toBeLessThan(tolerance);
    tf.dispose([cos, sin]);
  });

  test('tables of later positions are the later rows of the whole table', () => {
    tf.tidy(() => {
      const whole = rotaryTables(0, 9, 8, 10000);
      const later = rotaryTables(4, 5, 8, 10000);
      expect(valuesOf(later.cos)).toEqual(valuesOf(tf.slice(whole.cos, [4, 0], [5, 8])));
      expect(valuesOf(later.sin)).toEqual(valuesOf(tf.slice(whole.sin, [4, 0], [5, 8])));
    });
  });
});

test('scores of rotated queries and keys do not change when all positions shift', () => {
  tf.tidy(() => {
    const random = new Random(1);
    const q = normal(random, [1, 2, 5, 8]) as tf.Tensor4D;
    const k = normal(random, [1, 2, 5, 8]) as tf.Tensor4D;
    const scores = (start: number): Float32Array => {
      const { cos, sin } = rotaryTables(start, 5, 8, 10000);
      return valuesOf(tf.matMul(fused.rotary(q, cos, sin), fused.rotary(k, cos, sin), false, true));
    };
    expect(largestDifference(scores(0), scores(40))).toBeLessThan(2e-5);
    expect(largestDifference(scores(0), valuesOf(tf.matMul(q, k, false, true)))).toBeGreaterThan(0.1);
  });
});
