/** Features come back as they were, under the keys of the image and the encoder alone; a changed one is another entry. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
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
import {
  type EncoderDigests,
  encoderDigests,
  FeatureFiles,
  type FeatureFilesOptions,
} from '../../src/features/feature-files.js';
import { imageKey } from '../../src/features/image-key.js';
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
const open = (changes: Partial<FeatureFilesOptions> = {}): Promise<FeatureFiles> =>
  FeatureFiles.open(dir, { maxBytes: 1e8, dtype: 'F32', encoders: ENCODERS, ...changes });

const draw = (size: number, random = new Random(1)): Float32Array =>
  Float32Array.from({ length: size }, () => random.normal() * 1e3);

function features(seed: number): EncodedImage {
  const random = new Random(seed);
  return {
    features: { clip: draw(35, random), sam: draw(64, random) },
    resized: [seed + 5, 32],
    original: [70_000, seed],
  };
}

const BOTH = new Set(['clip', 'sam']);
const only = (image: EncodedImage, name: string): EncodedImage => {
  return { ...image, features: { [name]: image.features[name] as Float32Array } };
};

describe('FeatureFiles', () => {
  test('F32 gives back every bit, NaN and infinities too, in another process-to-be', async () => {
    const cache = await open();
    const image = { ...features(1), features: { clip: Float32Array.of(NaN, Infinity, -0, 1e-45), sam: draw(2) } };
    await cache.put('i1', image);
    expect(await (await open()).get('i1', BOTH)).toEqual(image);
    expect(await cache.get('i2', BOTH)).toBeNull();
  });

  test('the tiles of an image come back with its features', async () => {
    const cache = await open();
    const image = { ...features(1), grid: { columns: 3, rows: 2 } };
    await cache.put('i1', image);
    await cache.put('i2', features(1));
    expect(await cache.get('i1', BOTH)).toEqual(image);
    expect(await cache.get('i2', BOTH)).toEqual(features(1));
  });

  test('BF16 gives back the nearest bfloat16 numbers in half the room', async () => {
    const cache = await open({ dtype: 'BF16' });
    const image = features(2);
    await cache.put('i1', image);
    const rounded = (numbers: Float32Array): Float32Array => bfloat16ToFloat32(float32ToBfloat16(numbers));
    expect(await cache.get('i1', BOTH)).toEqual({
      ...image,
      features: Object.fromEntries(Object.entries(image.features).map(([name, numbers]) => [name, rounded(numbers)])),
    });
    const { clip = draw(0) } = image.features;
    expect(cache.asKept({ ...image, features: { clip } }).features).toEqual({ clip: rounded(clip) });
    // 2 bytes a number; sizes and a header for each encoder.
    expect(cache.stats.bytesWritten).toBe(2 * (35 + 64) + 2 * 16 + 2 * 48);
  });

  test('BF16 refuses a feature that it cannot hold; it would come back as Infinity', async () => {
    const cache = await open({ dtype: 'BF16' });
    const largest = 3.4028234e38;
    const image = (...numbers: number[]): EncodedImage => {
      return { ...features(1), features: { clip: Float32Array.of(...numbers) } };
    };
    expect(() => cache.asKept(image(0, largest))).toThrow(/"clip" hold 3\.40\d*e\+38, which BF16 cannot hold.*f32/);
    expect((await open()).asKept(image(largest))).toEqual(image(largest));
  });

  test('what changes an answer changes the key: encoder, dtype; each encoder has its own entries', async () => {
    await (await open()).put('i1', features(1));
    expect(await (await open({ dtype: 'BF16' })).get('i1', BOTH)).toBeNull();
    const otherSam = await open({ encoders: { ...ENCODERS, sam: 's2' } });
    expect(await otherSam.get('i1', BOTH)).toEqual(only(features(1), 'clip'));
    const otherClip = await open({ encoders: { ...ENCODERS, clip: 'c2' } });
    expect(await otherClip.get('i1', BOTH)).toEqual(only(features(1), 'sam'));
    expect(await otherClip.get('i1', new Set(['clip']))).toBeNull();
  });

  test("one encoder's features alone are kept for a conversation in words, others are added when masks are asked for", async () => {
    const cache = await open();
    const image = features(3);
    const words = only(image, 'clip');
    await cache.put('i1', words);
    expect(cache.stats.written).toBe(1);
    expect(await cache.get('i1', BOTH)).toEqual(words);
    await cache.put('i1', only(image, 'sam'));
    expect(cache.stats.written).toBe(2);
    expect(await cache.get('i1', BOTH)).toEqual(image);
    const before = cache.stats.hits;
    expect(await cache.get('i1', new Set(['clip']))).toEqual(words);
    expect(cache.stats.hits).toBe(before + 1);
  });

  test('put takes the numbers as they are when it is called', async () => {
    for (const dtype of ['F32', 'BF16'] as const) {
      const cache = await open({ dtype });
      const [clip, sam] = [new Float32Array(35).fill(2), Float32Array.of(3)];
      const image = { ...features(4), features: { clip, sam } };
      const done = cache.put('i1', image);
      clip.fill(9);
      sam.fill(9);
      await done;
      expect(await cache.get('i1', BOTH)).toMatchObject({
        features: { clip: new Float32Array(35).fill(2), sam: Float32Array.of(3) },
      });
      expect(cache.stats.damaged).toBe(0);
    }
  });

  test('one damaged entry of an image makes the image a miss, to be computed again', async () => {
    const troubles: string[] = [];
    const cache = await open({ onTrouble: (message) => troubles.push(message) });
    await cache.put('i1', features(1));
    for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((n) => n.endsWith('.entry'))) {
      const bytes = readFileSync(join(dir, name));
      bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
      writeFileSync(join(dir, name), bytes);
    }
    expect(await cache.get('i1', BOTH)).toBeNull();
    expect(cache.stats.damaged).toBe(2);
    expect(troubles).toHaveLength(1);
    await cache.put('i1', features(1));
    expect(await cache.get('i1', BOTH)).toEqual(features(1));
  });
});

test('a folder of an older kind, or of another, is refused in one sentence and left as it is', async () => {
  // As training and evaluation each wrote them: entries without a mark of their kind.
  mkdirSync(join(dir, 'ab'));
  const entry = join(dir, 'ab', `${'ab'.repeat(32)}.entry`);
  writeFileSync(entry, 'GSVA-FC\u0001 old');
  await expect(open()).rejects.toThrow(UserError);
  await expect(open()).rejects.toThrow(
    /is a cache of an older kind .* cannot be read.*: delete the folder, or name another/,
  );
  expect(readFileSync(entry, 'utf8')).toBe('GSVA-FC\u0001 old');
  rmSync(entry);
  await (await open()).put('i1', features(1));
  expect(await (await open()).get('i1', BOTH)).toEqual(features(1));
  writeFileSync(join(dir, 'kind'), 'features, format 1');
  await expect(open()).rejects.toThrow(/of an older kind \(features, format 1\)/);
});

describe('imageKey', () => {
  test('is of the bytes of a file, whatever its name, and of pixels where there is no file', async () => {
    const at = (name: string): string => join(dir, name);
    writeFileSync(at('a.jpg'), 'picture');
    writeFileSync(at('b.jpg'), 'picture');
    writeFileSync(at('c.jpg'), 'another');
    const pixels = { data: Uint8Array.of(1, 2, 3, 4, 5, 6), height: 1, width: 2 };
    const images = [at('a.jpg'), at('b.jpg'), at('c.jpg'), pixels, { ...pixels, height: 2, width: 1 }];
    const [a, b, c, wide, high] = await Promise.all(images.map(imageKey));
    expect(b).toBe(a);
    expect(new Set([a, c, wide, high]).size).toBe(4);
    expect(await imageKey({ ...pixels, path: at('a.jpg') })).toBe(a);
    expect(await imageKey({ ...pixels, data: pixels.data.slice() })).toBe(wide);
    await expect(imageKey(at('none.jpg'))).rejects.toThrow(UserError);
  });
});

describe('encoderDigests', () => {
  beforeAll(async () => {
    await startEngine({ engine: 'wasm' });
  });

  const digests = async (gsva: LlavaSam): Promise<EncoderDigests> => {
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
