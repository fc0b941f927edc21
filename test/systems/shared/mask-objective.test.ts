/** The mask losses against loops in double precision: pixels at the original size, [REJ] as a constant. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { Random } from '../../../src/random.js';
import { resizeMasks } from '../../../src/nn/bilinear.js';
import { maskObjective, stackMasks } from '../../../src/systems/shared/mask-objective.js';
import type { Geometry, MaskTargets } from '../../../src/systems/system.js';
import type { BinaryMask } from '../../../src/types.js';
import { interpolate, sigmoid, toRows } from '../../helpers/naive.js';
import { normal, valuesOf } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

const SIDE = 8;
const INPUT = 32;
const MODEL = {
  enlarge: (masks: tf.Tensor3D, geometry: Geometry): tf.Tensor3D => resizeMasks(masks, geometry, INPUT),
};

function maskOf(random: Random, [height, width]: readonly [number, number]): BinaryMask {
  return { data: Uint8Array.from({ length: height * width }, () => random.integer(2)), height, width };
}

function targetsOf(
  random: Random,
  resized: [number, number],
  original: [number, number],
  count: number,
  rejected: number,
): MaskTargets {
  return { masks: Array.from({ length: count }, () => maskOf(random, original)), rejected, resized, original };
}

/** BCE and DICE of one mask from their definitions. */
function lossesOf(logits: readonly number[], target: ArrayLike<number>): { bce: number; dice: number } {
  let [bce, overlap, predicted, given] = [0, 0, 0, 0];
  logits.forEach((x, i) => {
    const g = target[i] as number;
    const p = sigmoid(x);
    bce -= (g * Math.log(p) + (1 - g) * Math.log(1 - p)) / logits.length;
    overlap += (p * g) / 1000;
    predicted += p / 1000;
    given += g / 1000;
  });
  return { bce, dice: 1 - (2 * overlap + 1e-6) / (predicted + given + 1e-6) };
}

function naive(lowRes: Float32Array, targets: readonly MaskTargets[]): { bce: number; dice: number } {
  const losses: { bce: number; dice: number }[] = [];
  let first = 0;
  for (const { masks, rejected, resized, original } of targets) {
    for (const mask of masks) {
      const low = toRows(lowRes.subarray(first * SIDE * SIDE, (first + 1) * SIDE * SIDE), SIDE);
      const cropped = interpolate(low, INPUT, INPUT)
        .slice(0, resized[0])
        .map((row) => row.slice(0, resized[1]));
      losses.push(lossesOf(interpolate(cropped, original[0], original[1]).flat(), mask.data));
      first++;
    }
    const pixels = original[0] * original[1];
    const nothing = Array.from({ length: pixels }, () => 0);
    for (let i = 0; i < rejected; i++) losses.push(lossesOf(nothing, nothing));
  }
  const mean = (key: 'bce' | 'dice'): number => losses.reduce((total, loss) => total + loss[key], 0) / losses.length;
  return { bce: mean('bce'), dice: mean('dice') };
}

describe('maskObjective', () => {
  test.each([
    { what: 'one mask', counts: [[1, 0]] },
    {
      what: 'several images of several sizes',
      counts: [
        [2, 0],
        [1, 0],
        [3, 0],
      ],
    },
    {
      what: 'rejected among them',
      counts: [
        [2, 1],
        [1, 3],
      ],
    },
    {
      what: 'an image of which all is rejected, in the middle',
      counts: [
        [1, 0],
        [0, 2],
        [2, 0],
      ],
    },
    {
      what: 'an image that asks for nothing',
      counts: [
        [0, 0],
        [1, 1],
      ],
    },
    {
      what: 'nothing but rejections',
      counts: [
        [0, 2],
        [0, 1],
      ],
    },
  ])('equals the definition for $what', ({ counts }) => {
    const sizes = [
      { resized: [32, 20], original: [40, 25] },
      { resized: [18, 32], original: [9, 16] },
      { resized: [32, 32], original: [32, 32] },
    ] as const;
    const random = new Random(1);
    const targets = counts.map(([count = 0, rejected = 0], i) => {
      const { resized, original } = sizes[i] ?? sizes[0];
      return targetsOf(random, [...resized], [...original], count, rejected);
    });
    const queries = targets.reduce((total, { masks }) => total + masks.length, 0);
    const numTensors = tf.memory().numTensors;
    tf.tidy(() => {
      const lowRes = normal(random, [queries, SIDE, SIDE], 3) as tf.Tensor3D;
      const { bce, dice } = maskObjective(MODEL, lowRes, targets);
      const expected = naive(valuesOf(lowRes), targets);
      expect([bce.shape, dice.shape]).toEqual([[], []]);
      expect(Math.abs((valuesOf(bce)[0] as number) - expected.bce)).toBeLessThan(2e-6);
      expect(Math.abs((valuesOf(dice)[0] as number) - expected.dice)).toBeLessThan(2e-6);
    });
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  test('a rejection has BCE ln 2, DICE near 1, and no gradient; a batch without any mask has loss 0', () => {
    tf.tidy(() => {
      const rejection = maskObjective(MODEL, tf.zeros([0, SIDE, SIDE]), [
        targetsOf(new Random(1), [32, 32], [10, 20], 0, 1),
      ]);
      expect(valuesOf(rejection.bce)[0]).toBeCloseTo(Math.LN2, 6);
      expect(valuesOf(rejection.dice)[0]).toBeCloseTo(1 - 1e-6 / (0.1 + 1e-6), 6);
      const nothing = maskObjective(MODEL, tf.zeros([0, SIDE, SIDE]), []);
      expect([valuesOf(nothing.bce)[0], valuesOf(nothing.dice)[0]]).toEqual([0, 0]);
    });
  });

  test('rejections thin the gradient of the masks by their share, and add nothing to it', () => {
    const gradient = (rejected: number): Float32Array =>
      tf.tidy(() => {
        const random = new Random(1);
        const targets = [targetsOf(random, [32, 20], [16, 10], 2, rejected)];
        const loss = (lowRes: tf.Tensor): tf.Scalar => {
          const { bce, dice } = maskObjective(MODEL, lowRes as tf.Tensor3D, targets);
          return tf.add(bce, dice);
        };
        return valuesOf(tf.grad(loss)(normal(random, [2, SIDE, SIDE])));
      });
    const [without, with2] = [gradient(0), gradient(2)];
    without.forEach((value, i) => expect(with2[i]).toBeCloseTo(value / 2, 7));
    // Bilinear enlarging reaches beyond the picture by less than a cell: 20 of 32 columns are 5 of 8 cells and a bit.
    expect(without.filter((_, i) => i % SIDE > 5).every((value) => value === 0)).toBe(true);
  });
});

test('stackMasks: masks of one image as floats; another size is refused', () => {
  tf.tidy(() => {
    const masks = [Uint8Array.of(0, 1, 1, 0, 0, 1), Uint8Array.of(1, 1, 1, 0, 0, 0)].map((data) => ({
      data,
      height: 2,
      width: 3,
    }));
    const stacked = stackMasks(masks, 2, 3);
    expect([stacked.shape, stacked.dtype, [...valuesOf(stacked)]]).toEqual([
      [2, 2, 3],
      'float32',
      [0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0],
    ]);
    expect(() => stackMasks(masks, 2, 4)).toThrow('mask 0 is not 2×4');
  });
});
