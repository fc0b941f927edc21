/** The frozen encoders' features as plain data: the same numbers as the encoders', nothing left behind. */
import { beforeAll, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { encodeImages, stackFeatures, tileCounts } from '../../src/features/image-features.js';
import { Random } from '../../src/random.js';
import type { PreparedImage } from '../../src/types.js';
import { smallModel } from '../helpers/small-model.js';
import { valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

function image(seed: number, height: number): PreparedImage {
  const random = new Random(seed);
  const noise = (length: number): Float32Array => Float32Array.from({ length }, () => random.normal());
  return {
    inputs: { clip: noise(8 * 8 * 3), sam: noise(32 * 32 * 3) },
    resized: [height, 32],
    original: [2 * height, 64],
  };
}

test('encodeImages and stackFeatures carry the encoders’ outputs through plain arrays', async () => {
  const gsva = smallModel(1);
  const images = [image(1, 20), image(2, 30), image(3, 32)];
  const numTensors = tf.memory().numTensors;
  const encoded = await encodeImages(gsva, images);
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(encoded.map(({ resized, original }) => [resized, original])).toEqual([
    [
      [20, 32],
      [40, 64],
    ],
    [
      [30, 32],
      [60, 64],
    ],
    [
      [32, 32],
      [64, 64],
    ],
  ]);
  const stacked = stackFeatures(gsva, encoded);
  expect(tf.memory().numTensors).toBe(numTensors + 2);
  tf.tidy(() => {
    const clip = tf.tensor4d(
      images.flatMap(({ inputs }) => [...(inputs['clip'] ?? [])]),
      [3, 8, 8, 3],
    );
    const sam = tf.tensor4d(
      images.flatMap(({ inputs }) => [...(inputs['sam'] ?? [])]),
      [3, 32, 32, 3],
    );
    expect([stacked.clip.shape, stacked.sam.shape]).toEqual([
      [3, 4, 8],
      [3, 4, 4, 16],
    ]);
    expect(valuesOf(stacked.clip)).toEqual(valuesOf(gsva.encoders.clip.forward(clip)));
    expect(valuesOf(stacked.sam)).toEqual(valuesOf(gsva.encoders.sam.forward(sam)));
  });
  tf.dispose([stacked.clip, stacked.sam]);
  gsva.dispose();
});

test('an encoder that takes tiles runs once on those of all images, and each image gets its own back', async () => {
  const gsva = smallModel(1);
  const [first, second, third] = [image(1, 20), image(2, 20), image(3, 20)].map(({ inputs }) => inputs['clip']);
  const size = { resized: [20, 32], original: [40, 64] } as const;
  const two = Float32Array.of(...(first ?? []), ...(second ?? []));
  const images = [
    { ...size, inputs: { clip: two }, grid: { columns: 2, rows: 1 } },
    { ...size, inputs: { clip: third ?? two }, grid: { columns: 1, rows: 1 } },
  ];
  await expect(encodeImages(gsva, images)).rejects.toThrow('inputs of "clip" are 2, 1 times [8, 8, 3]');
  const clip = Object.assign(gsva.encoders.clip, { takesTiles: true });
  const numTensors = tf.memory().numTensors;
  const encoded = await encodeImages(gsva, images);
  expect(encoded.map(({ grid, features }) => [grid, features['clip']?.length])).toEqual([
    [{ columns: 2, rows: 1 }, 2 * 4 * 8],
    [{ columns: 1, rows: 1 }, 4 * 8],
  ]);
  const model = { encoders: { clip } };
  expect(tileCounts(model, 'clip', encoded)).toEqual([2, 1]);
  const stacked = stackFeatures(model, encoded);
  expect(stacked.clip.shape).toEqual([3, 4, 8]);
  const all = tf.tensor4d(Float32Array.of(...two, ...(third ?? [])), [3, 8, 8, 3]);
  const expected = clip.forward(all);
  expect(valuesOf(stacked.clip)).toEqual(valuesOf(expected));
  tf.dispose([stacked.clip, all, expected]);
  expect(tf.memory().numTensors).toBe(numTensors);
  gsva.dispose();
});
