/** SELF1E's mask losses against loops in double precision: soft targets, both resolutions, sizes above 128. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { maskLosses, reducedTargets, targetSize } from '../../../src/systems/self1e/mask-losses.js';
import { Random } from '../../../src/random.js';
import type { BinaryMask } from '../../../src/types.js';
import { interpolate, type Matrix, sigmoid, toRows } from '../../helpers/naive.js';
import { largestDifference, normal, valuesOf } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

/** A rectangle somewhere in the picture. */
function maskOf(random: Random, height: number, width: number): BinaryMask {
  const [top, left] = [random.integer(height - 1), random.integer(width - 1)];
  const data = new Uint8Array(height * width);
  for (let y = top; y < height; y++) for (let x = left; x < width; x += 1 + (y % 2)) data[y * width + x] = 1;
  return { data, height, width };
}

/** BCE (mean over pixels) and DICE by their definitions. */
function lossesOf(logits: Matrix, target: Matrix): { bce: number; dice: number } {
  let [bce, overlap, predicted, given] = [0, 0, 0, 0];
  const pixels = logits.flat();
  const targets = target.flat();
  for (const [i, x] of pixels.entries()) {
    const [p, g] = [sigmoid(x), targets[i] as number];
    bce -= (g * Math.log(p) + (1 - g) * Math.log(1 - p)) / pixels.length;
    overlap += p * g;
    predicted += p;
    given += g;
  }
  return { bce, dice: 1 - ((2 * overlap) / 1000 + 1e-6) / (predicted / 1000 + given / 1000 + 1e-6) };
}

describe('targetSize', () => {
  test.each([
    { size: [61, 87], expected: [61, 87] },
    { size: [128, 500], expected: [128, 500] },
    { size: [129, 129], expected: [128, 128] },
    { size: [150, 200], expected: [128, 170] },
    { size: [640, 480], expected: [170, 128] },
  ] as const)('$size is judged at $expected', ({ size, expected }) => {
    const [height, width] = size;
    expect(targetSize(height, width)).toEqual(expected);
  });
});

describe('maskLosses', () => {
  test.each([
    { what: 'small: as it is', size: [20, 33] },
    { what: 'wide: reduced, with soft values', size: [150, 200] },
    { what: 'high: reduced, with soft values', size: [290, 140] },
  ] as const)('$what', ({ size: [height, width] }) => {
    const random = new Random(1);
    const masks = [maskOf(random, height, width), maskOf(random, height, width)];
    const [high, low] = [normal(random, [2, 16, 24], 2), normal(random, [2, 8, 12], 2)] as [tf.Tensor3D, tf.Tensor3D];
    const [h, w] = targetSize(height, width);
    const before = tf.memory().numTensors;
    const { targets, bce, dice } = tf.tidy(() => {
      const targets = reducedTargets(masks, height, width);
      return { targets, ...maskLosses([high, low], targets) };
    });
    expect(tf.memory().numTensors).toBe(before + 3);
    const expected = { bce: 0, dice: 0 };
    for (const [i, mask] of masks.entries()) {
      const target = interpolate(toRows(mask.data, width), h, w);
      const own = valuesOf(targets).subarray(i * h * w, (i + 1) * h * w);
      expect(largestDifference(own, target.flat())).toBeLessThan(2e-6);
      if (h !== height) expect(target.flat().some((value) => value > 0.01 && value < 0.99)).toBe(true);
      for (const logits of [high, low]) {
        const [, rows, columns] = logits.shape;
        const map = toRows(valuesOf(logits).subarray(i * rows * columns, (i + 1) * rows * columns), columns);
        const found = lossesOf(interpolate(map, h, w), target);
        expected.bce += found.bce;
        expected.dice += found.dice;
      }
    }
    expect(bce.dataSync()[0]).toBeCloseTo(expected.bce, 4);
    expect(dice.dataSync()[0]).toBeCloseTo(expected.dice, 4);
    tf.dispose([targets, bce, dice, high, low]);
  });
});
