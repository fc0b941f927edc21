/** Features come back as they were, under the image's and the encoder's digest only; who changes is another entry. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { UserError } from '../../src/errors.js';
import { bfloat16ToFloat32, float32ToBfloat16 } from '../../src/half-float.js';
import { LlavaSam } from '../../src/systems/shared/llava-sam.js';
import type { EncodedImage } from '../../src/features/image-features.js';
import { Random } from '../../src/random.js';
import { encoderDigests } from '../../src/features/encoder-digest.js';
import { FeatureCache, type FeatureCacheOptions, imageDigest } from '../../src/features/feature-cache.js';
import { SMALL } from '../helpers/small-model.js';
import { buildRandom } from '../helpers/tensors.js';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'gsva-features-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

const ENCODERS = { clip: 'c1', sam: 's1' };
const open = (changes: Partial<FeatureCacheOptions> = {}): Promise<FeatureCache> =>
  FeatureCache.open(dir, { maxBytes: 1e8, dtype: 'F32', encoders: ENCODERS, ...changes });

function features(seed: number): EncodedImage {
  const random = new Random(seed);
  const draw = (size: number): Float32Array => Float32Array.from({ length: size }, () => random.normal() * 1e3);
  return { clipFeatures: draw(35), imageEmbedding: draw(64), resized: [seed + 5, 32], original: [70_000, seed] };
}

const BOTH = { clip: true, sam: true };

describe('FeatureCache', () => {
  test('F32 gives back every bit, NaN and infinities too, in another process-to-be', async () => {
    const cache = await open();
    const image = { ...features(1), clipFeatures: Float32Array.of(NaN, Infinity, -0, 1e-45) };
    await cache.put('i1', image, BOTH);
    expect(await (await open()).get('i1', true)).toEqual(image);
    expect(await cache.get('i2', true)).toBeNull();
  });

  test('BF16 gives back the nearest bfloat16 numbers in half the room', async () => {
    const cache = await open({ dtype: 'BF16' });
    const image = features(2);
    await cache.put('i1', image, BOTH);
    const rounded = (numbers: Float32Array): Float32Array => bfloat16ToFloat32(float32ToBfloat16(numbers));
    expect(await cache.get('i1', true)).toEqual({
      ...image,
      clipFeatures: rounded(image.clipFeatures),
      imageEmbedding: rounded(image.imageEmbedding),
    });
    expect(cache.asKept(image.clipFeatures)).toEqual(rounded(image.clipFeatures));
    // 2 bytes a number; sizes and a header for each encoder.
    expect(cache.stats.bytesWritten).toBe(2 * (35 + 64) + 2 * 16 + 2 * 48);
  });

  test('BF16 refuses a feature that it cannot hold; it would come back as Infinity', async () => {
    const cache = await open({ dtype: 'BF16' });
    const largest = 3.4028234e38;
    expect(() => cache.asKept(Float32Array.of(0, largest))).toThrow(/hold 3\.40\d*e\+38, which BF16 cannot hold.*f32/);
    expect((await open()).asKept(Float32Array.of(largest))).toEqual(Float32Array.of(largest));
  });

  test('what changes an answer changes the key: encoder, dtype; each encoder has its own entries', async () => {
    await (await open()).put('i1', features(1), BOTH);
    expect(await (await open({ dtype: 'BF16' })).get('i1', true)).toBeNull();
    const { clipFeatures, resized, original } = features(1);
    const otherSam = await open({ encoders: { ...ENCODERS, sam: 's2' } });
    expect(await otherSam.get('i1', true)).toEqual({ clipFeatures, imageEmbedding: null, resized, original });
    const otherClip = await open({ encoders: { ...ENCODERS, clip: 'c2' } });
    expect(await otherClip.get('i1', true)).toBeNull();
  });

  test("F_V1's features alone are kept for a conversation in words, F_V2's are added when masks are asked for", async () => {
    const cache = await open();
    const image = features(3);
    const words = { ...image, imageEmbedding: null };
    await cache.put('i1', words, BOTH);
    expect(cache.stats.written).toBe(1);
    expect(await cache.get('i1', true)).toEqual(words);
    await cache.put('i1', image, { clip: false, sam: true });
    expect(cache.stats.written).toBe(2);
    expect(await cache.get('i1', true)).toEqual(image);
    const before = cache.stats.hits;
    expect(await cache.get('i1', false)).toEqual(words);
    expect(cache.stats.hits).toBe(before + 1);
  });

  test('put takes the numbers as they are when it is called', async () => {
    for (const dtype of ['F32', 'BF16'] as const) {
      const cache = await open({ dtype });
      const image = { ...features(4), clipFeatures: new Float32Array(35).fill(2), imageEmbedding: Float32Array.of(3) };
      const done = cache.put('i1', image, BOTH);
      image.clipFeatures.fill(9);
      image.imageEmbedding.fill(9);
      await done;
      expect(await cache.get('i1', true)).toMatchObject({
        clipFeatures: new Float32Array(35).fill(2),
        imageEmbedding: Float32Array.of(3),
      });
      expect(cache.stats.damaged).toBe(0);
    }
  });

  test('one damaged entry of an image makes the image a miss, to be computed again', async () => {
    const troubles: string[] = [];
    const cache = await open({ onTrouble: (message) => troubles.push(message) });
    await cache.put('i1', features(1), BOTH);
    for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((n) => n.endsWith('.entry'))) {
      const bytes = readFileSync(join(dir, name));
      bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
      writeFileSync(join(dir, name), bytes);
    }
    expect(await cache.get('i1', true)).toBeNull();
    expect(cache.stats.damaged).toBe(2);
    expect(troubles).toHaveLength(1);
    await cache.put('i1', features(1), BOTH);
    expect(await cache.get('i1', true)).toEqual(features(1));
  });
});

test('imageDigest is SHA-256 of the bytes, whatever the name', async () => {
  const bytes = Buffer.from('picture');
  writeFileSync(join(dir, 'a.jpg'), bytes);
  expect(await imageDigest(join(dir, 'a.jpg'))).toBe(createHash('sha256').update(bytes).digest('hex'));
  await expect(imageDigest(join(dir, 'b.jpg'))).rejects.toThrow(UserError);
});

describe('encoderDigests', () => {
  beforeAll(async () => {
    await startEngine({ engine: 'wasm' });
  });

  const digests = async (gsva: LlavaSam): Promise<{ clip: string; sam: string }> => {
    const before = tf.memory().numTensors;
    const found = await encoderDigests(gsva);
    expect(tf.memory().numTensors).toBe(before);
    return found;
  };

  test('are functions of the weights and sizes of their own encoder alone', async () => {
    const gsva = buildRandom(new LlavaSam(SMALL), new Random(1));
    const first = await digests(gsva);
    expect(first.clip).toMatch(/^[0-9a-f]{64}$/);
    const changeOne = async (prefix: string): Promise<void> => {
      const [, parameter] = [...gsva.namedParameters()].filter(([name]) => name.includes(prefix)).at(-1) ?? [];
      if (parameter === undefined) throw new Error(prefix);
      const values = (await parameter.variable.read().data()).slice();
      values[values.length - 1] = (values[values.length - 1] as number) + 1e-3;
      tf.tidy(() => {
        parameter.variable.write(tf.tensor(values, parameter.variable.shape as number[]));
      });
    };
    await changeOne('mm_projector');
    await changeOne('mask_decoder');
    await changeOne('model.layers.');
    expect(await digests(gsva)).toEqual(first);
    await changeOne('vision_tower');
    const second = await digests(gsva);
    expect(second.sam).toBe(first.sam);
    expect(second.clip).not.toBe(first.clip);
    await changeOne('image_encoder');
    const third = await digests(gsva);
    expect(third.clip).toBe(second.clip);
    expect(third.sam).not.toBe(first.sam);
    gsva.dispose();
    const other = buildRandom(new LlavaSam({ ...SMALL, clip: { ...SMALL.clip, selectLayer: -1 } }), new Random(1));
    expect((await digests(other)).clip).not.toBe(first.clip);
    other.dispose();
    const again = buildRandom(new LlavaSam(SMALL), new Random(1));
    expect(await digests(again)).toEqual(first);
    again.dispose();
  });

  test('see packed weights', async () => {
    const found = [];
    const packed: number[] = [];
    for (const seed of [1, 1, 2]) {
      const gsva = new LlavaSam(SMALL);
      gsva.packWeights((name) => name.includes('vision_tower') || name.includes('image_encoder'));
      gsva.build();
      gsva.randomize(new Random(seed));
      packed.push(gsva.encoders.clip.packedParameters().size);
      found.push(await digests(gsva));
      gsva.dispose();
    }
    expect(Math.min(...packed)).toBeGreaterThan(0);
    expect(found[1]).toEqual(found[0]);
    expect(found[2]?.clip).not.toBe(found[0]?.clip);
  });
});
