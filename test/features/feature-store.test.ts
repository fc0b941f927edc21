/** Features are computed once, for each encoder by itself, and found in memory, then on disk, whoever asks. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Pictures, prepareImage } from '../../src/data/image/prepare-image.js';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { llavaSamPictures } from '../../src/systems/shared/llava-sam-system.js';
import type { LlavaSam } from '../../src/systems/shared/llava-sam.js';
import { type EncodedImage, encodeImages } from '../../src/features/image-features.js';
import { encoderDigests, type FeatureDtype, FeatureFiles } from '../../src/features/feature-files.js';
import { FeatureStore, type ImageToEncode, NOTHING_FOUND } from '../../src/features/feature-store.js';
import { imageKey } from '../../src/features/image-key.js';
import type { PreparedImage, RgbImage } from '../../src/types.js';
import { smallModel } from '../helpers/small-model.js';
import { randomImage } from '../inference/tiny-predictor.js';

let gsva: LlavaSam;
let dir = '';
let tensors = 0;
/** A picture as both encoders take it, and its features. */
let prepared: PreparedImage;
let encoded: EncodedImage;

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  gsva = smallModel(1);
  prepared = prepareImage(randomImage(24, 36, 1), inputs());
  [encoded] = (await encodeImages(gsva, [prepared])) as [EncodedImage];
});
afterAll(() => {
  gsva.dispose();
});
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'gsva-kept-'));
  for (const file of ['a.png', 'copy.png']) writeFileSync(join(dir, file), 'the bytes of a picture');
  writeFileSync(join(dir, 'b.png'), 'the bytes of another');
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  rmSync(dir, { recursive: true });
  expect(tf.memory().numTensors).toBe(tensors);
});

const ALL_ENCODERS = new Set(['clip', 'sam']);
const TEXT_ENCODERS = new Set(['clip']);

function inputs(): Pictures {
  return llavaSamPictures(gsva.config);
}

const clipOnly = (): unknown => ({ ...encoded, features: { clip: encoded.features['clip'] } });
const at = (file: string): string => join(dir, file);

async function openCache(dtype: FeatureDtype = 'F32'): Promise<FeatureFiles> {
  return FeatureFiles.open(join(dir, 'cache'), { maxBytes: 1e8, dtype, encoders: await encoderDigests(gsva) });
}

describe('in memory', () => {
  test('features are kept as far as there is room; those that are not are computed again', async () => {
    const bytes = Object.values(encoded.features).reduce((sum, { byteLength }) => sum + byteLength, 0);
    const store = new FeatureStore(imageKey, 1.5 * bytes);
    const row = (key: string | null, image: PreparedImage | null): ImageToEncode => {
      return { found: { key, known: null }, image };
    };
    const [a, b] = [await store.find(at('a.png'), ALL_ENCODERS), await store.find(at('b.png'), ALL_ENCODERS)];
    expect([a.known, b.known]).toEqual([null, null]);
    expect(await store.encode(gsva, [row(a.key, prepared), row(b.key, prepared)])).toEqual([encoded, encoded]);
    expect(await store.find(at('a.png'), ALL_ENCODERS)).toEqual({ key: a.key, known: encoded });
    expect(await store.find(at('b.png'), ALL_ENCODERS)).toEqual(b);
    expect(await store.encode(gsva, [row(b.key, prepared), row(a.key, null)])).toEqual([encoded, encoded]);
    await expect(store.encode(gsva, [row('c', null)])).rejects.toThrow('neither known nor prepared');
    // What has no key is encoded, each image by itself, and not kept.
    const other = prepareImage(randomImage(24, 36, 2), inputs());
    const unreadable = [await store.find(at('x.png'), ALL_ENCODERS), await store.find(at('y.png'), ALL_ENCODERS)];
    const rows = unreadable.map((found, i) => ({ found, image: i === 0 ? prepared : other }));
    const [first, second] = await store.encode(gsva, rows);
    expect(first).toEqual(encoded);
    expect(second).not.toEqual(encoded);
    expect(store.counts).toEqual({ inMemory: 1, onDisk: 0, missing: 2 });
  });

  test('an encoder is not run without an input; it is when the image comes again with one', async () => {
    const store = new FeatureStore(imageKey);
    const words = prepareImage(randomImage(24, 36, 1), inputs(), TEXT_ENCODERS);
    expect(words).toEqual({ ...prepared, inputs: { clip: prepared.inputs['clip'] } });
    const row = { found: await store.find(at('a.png'), TEXT_ENCODERS), image: words };
    expect(await store.encode(gsva, [row])).toEqual([clipOnly()]);
    const found = await store.find(at('a.png'), ALL_ENCODERS);
    expect(found.known).toEqual(clipOnly());
    const masks = prepareImage(randomImage(24, 36, 1), inputs(), new Set(['sam']));
    // Next to a row of the same image that was loaded before anything was known.
    expect(await store.encode(gsva, [row, { found, image: masks }])).toEqual([encoded, encoded]);
    expect((await store.find(at('a.png'), ALL_ENCODERS)).known).toEqual(encoded);
  });

  test('decoded pictures are found by their file, or by their pixels', async () => {
    const store = new FeatureStore(imageKey);
    const picture = randomImage(24, 36, 1);
    const prepare = (image: RgbImage, which: ReadonlySet<string>): PreparedImage =>
      prepareImage(image, inputs(), which);
    const pictures = [picture, { ...picture, path: at('a.png') }];
    expect(await store.encodePictures(gsva, pictures, prepare)).toEqual([encoded, encoded]);
    const refuse = (): PreparedImage => {
      throw new Error('prepared again');
    };
    expect(await store.encodePictures(gsva, pictures, refuse)).toEqual([encoded, encoded]);
    expect((await store.find(at('a.png'), ALL_ENCODERS)).known).toEqual(encoded);
    expect(store.counts).toEqual({ inMemory: 3, onDisk: 0, missing: 2 });
  });
});

describe('on disk', () => {
  const row = async (store: FeatureStore, file: string): Promise<ImageToEncode> => {
    const found = await store.find(at(file), ALL_ENCODERS);
    return { found, image: found.known === null ? prepared : null };
  };

  test.each(['F32', 'BF16'] as const)('%s: another run has exactly the features of the first', async (dtype) => {
    const first = new FeatureStore(imageKey, 0, await openCache(dtype));
    const [features] = await first.encode(gsva, [await row(first, 'a.png')]);
    await first.flush();
    if (dtype === 'F32') expect(features).toEqual(encoded);
    else expect(features).not.toEqual(encoded);
    const cache = await openCache(dtype);
    const second = new FeatureStore(imageKey, 0, cache);
    for (let epoch = 0; epoch < 2; epoch++) {
      const again = await row(second, 'copy.png');
      expect(again.image).toBeNull();
      expect(await second.encode(gsva, [again])).toEqual([features]);
    }
    // Without room in memory it comes from disk each time.
    expect(cache.stats).toMatchObject({ hits: 4, misses: 0, written: 0 });
  });

  test('what came from disk is kept in memory, where there is room', async () => {
    const first = new FeatureStore(imageKey, 0, await openCache());
    await first.encode(gsva, [await row(first, 'a.png')]);
    await first.flush();
    const cache = await openCache();
    const second = new FeatureStore(imageKey, 1e8, cache);
    for (let epoch = 0; epoch < 3; epoch++) await second.encode(gsva, [await row(second, 'a.png')]);
    expect(cache.stats).toMatchObject({ hits: 2, misses: 0 });
  });

  test('questions in words ask for one encoder alone, and what it computed serves those with masks', async () => {
    const cache = await openCache();
    const store = new FeatureStore(imageKey, 0, cache);
    const words = prepareImage(randomImage(24, 36, 1), inputs(), TEXT_ENCODERS);
    const unknown = await store.find(at('a.png'), TEXT_ENCODERS);
    await store.encode(gsva, [{ found: unknown, image: words }]);
    await store.flush();
    expect(cache.stats).toMatchObject({ misses: 1, written: 1 });
    expect((await store.find(at('a.png'), TEXT_ENCODERS)).known).toEqual(clipOnly());
    expect(cache.stats).toMatchObject({ hits: 1, misses: 1 });
    // The same file in a set that asks for masks: the other encoder alone is still to run.
    const found = await store.find(at('a.png'), ALL_ENCODERS);
    const image = prepareImage(randomImage(24, 36, 1), inputs(), new Set(['sam']));
    expect(await store.encode(gsva, [{ found, image }])).toEqual([encoded]);
    await store.flush();
    expect(cache.stats.written).toBe(2);
    expect((await store.find(at('a.png'), ALL_ENCODERS)).known).toEqual(encoded);
  });

  test('a damaged entry and an image that was changed are computed again, a missing one is left to the loader', async () => {
    const store = new FeatureStore(imageKey, 0, await openCache());
    await store.encode(gsva, [await row(store, 'a.png')]);
    await store.flush();
    const cacheDir = join(dir, 'cache');
    for (const name of readdirSync(cacheDir, { recursive: true, encoding: 'utf8' })) {
      if (name.endsWith('.entry')) writeFileSync(join(cacheDir, name), readFileSync(join(cacheDir, name)).fill(7, 100));
    }
    const damaged = await row(store, 'a.png');
    expect(damaged.found.known).toBeNull();
    expect(await store.encode(gsva, [damaged])).toEqual([encoded]);
    await store.flush();
    expect((await store.find(at('a.png'), ALL_ENCODERS)).known).toEqual(encoded);
    writeFileSync(join(dir, 'a.png'), 'another picture');
    expect((await store.find(at('a.png'), ALL_ENCODERS)).known).toBeNull();
    expect(await store.find(at('missing.png'), ALL_ENCODERS)).toEqual(NOTHING_FOUND);
  });
});
