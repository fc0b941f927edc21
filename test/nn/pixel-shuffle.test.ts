/** Blocks of 2 × 2 as channels: their order (dy, dx, c) by hand, and the way back. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { pixelShuffle, pixelUnshuffle } from '../../src/nn/pixel-shuffle.js';
import { Random } from '../../src/random.js';
import { normal, valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

describe('pixelShuffle', () => {
  test('channels are above left, above right, below left, below right, each with all of its own', () => {
    // Two rows of four pixels with two channels: 10·pixel + channel.
    const pixels = Array.from({ length: 8 }, (_, pixel) => [10 * pixel, 10 * pixel + 1]).flat();
    tf.tidy(() => {
      const found = pixelShuffle(tf.tensor4d(pixels, [1, 2, 4, 2]));
      expect(found.shape).toEqual([1, 1, 2, 8]);
      expect([...valuesOf(found)]).toEqual([0, 1, 10, 11, 40, 41, 50, 51, 20, 21, 30, 31, 60, 61, 70, 71]);
    });
  });

  test('of several rows of blocks and pictures: every value stands where the definition says', () => {
    const [batch, height, width, size] = [2, 6, 4, 3] as const;
    tf.tidy(() => {
      const x = normal(new Random(1), [batch, height, width, size]) as tf.Tensor4D;
      const found = pixelShuffle(x).arraySync();
      const given = x.arraySync();
      for (const [b, picture] of given.entries()) {
        for (const [y, row] of picture.entries()) {
          for (const [at, pixel] of row.entries()) {
            const block = 2 * (y % 2) + (at % 2);
            const channels = found[b]?.[Math.floor(y / 2)]?.[Math.floor(at / 2)] ?? [];
            expect(channels.slice(block * size, (block + 1) * size)).toEqual(pixel);
          }
        }
      }
    });
  });
});

describe('pixelUnshuffle', () => {
  test.each([
    [1, 2, 2, 1],
    [2, 6, 4, 3],
    [1, 2, 10, 5],
  ])('undoes the shuffle of [%i, %i, %i, %i]', (...shape) => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const x = normal(new Random(2), shape) as tf.Tensor4D;
      const back = pixelUnshuffle(pixelShuffle(x));
      expect(back.shape).toEqual(shape);
      expect(valuesOf(back)).toEqual(valuesOf(x));
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});
