/** What a run keeps of its images: in memory and on disk, computed once, for each encoder by itself. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareImage, prepareImageFor } from '../../src/data/image/prepare-image.js';
import type { ImageToLoad } from '../../src/data/sampling/sample-loader.js';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import type { LlavaSam } from '../../src/systems/shared/llava-sam.js';
import { type EncodedImage, encodeImages } from '../../src/features/image-features.js';
import { encoderDigests } from '../../src/features/encoder-digest.js';
import { FeatureCache, type FeatureDtype } from '../../src/features/feature-cache.js';
import { type ImageOfSample, KeptFeatures } from '../../src/features/kept-features.js';
import type { PreparedImage } from '../../src/types.js';
import { smallModel } from '../helpers/small-model.js';
import { randomImage } from '../inference/tiny-predictor.js';

let gsva: LlavaSam;
let dir = '';
let tensors = 0;
/** A picture as both encoders take it, and what they say of it. */
let prepared: PreparedImage;
let encoded: EncodedImage;

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  gsva = smallModel(1);
  prepared = prepareImage(randomImage(24, 36, 1), ...sizes());
  [encoded] = (await encodeImages(gsva, [prepared])) as [EncodedImage];
});
afterAll(() => {
  gsva.dispose();
});
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'gsva-kept-'));
  writeFileSync(join(dir, 'a.png'), 'the bytes of a picture');
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  rmSync(dir, { recursive: true });
  expect(tf.memory().numTensors).toBe(tensors);
});

function sizes(): [number, number] {
  return [gsva.config.clip.imageSize, gsva.config.sam.imageSize];
}

const nothing = { features: null, digest: null };
const imageAt = (key: string, kind: ImageToLoad['kind'] = 'refer_seg', file = 'a.png'): ImageToLoad => {
  return { key, kind, path: join(dir, file) };
};

async function openCache(dtype: FeatureDtype = 'F32'): Promise<FeatureCache> {
  return FeatureCache.open(join(dir, 'cache'), { maxBytes: 1e8, dtype, encoders: await encoderDigests(gsva) });
}

describe('in memory', () => {
  test('features are kept as far as there is room; those that are not are computed again', async () => {
    const bytes = encoded.clipFeatures.byteLength + encoded.imageEmbedding.byteLength;
    const kept = new KeptFeatures(1.5 * bytes);
    const row = (key: string, image: PreparedImage | null): ImageOfSample => ({ key, found: nothing, image });
    expect(await kept.of(gsva, [row('a', prepared), row('b', prepared)])).toEqual([encoded, encoded]);
    expect(await kept.find(imageAt('a'))).toEqual({ features: encoded, digest: null });
    expect(await kept.find(imageAt('b'))).toEqual(nothing);
    expect(await kept.of(gsva, [row('b', prepared), row('a', null)])).toEqual([encoded, encoded]);
    await expect(kept.of(gsva, [row('c', null)])).rejects.toThrow('image c is not encoded');
  });

  test('F_V2 is not run where its input was not prepared; it is when the image comes again with masks', async () => {
    const kept = new KeptFeatures();
    const words = prepareImageFor({ clip: true, sam: false }, randomImage(24, 36, 1), ...sizes());
    expect(words).toEqual({ ...prepared, samInput: null });
    const row = { key: 'a', found: nothing, image: words };
    expect(await kept.of(gsva, [row])).toEqual([{ ...encoded, imageEmbedding: null }]);
    const found = await kept.find(imageAt('a'));
    expect(found.features).toEqual({ ...encoded, imageEmbedding: null });
    const masks = prepareImageFor({ clip: false, sam: true }, randomImage(24, 36, 1), ...sizes());
    // Beside a row of the same image that was loaded before anything was known.
    expect(await kept.of(gsva, [row, { key: 'a', found, image: masks }])).toEqual([encoded, encoded]);
    expect((await kept.find(imageAt('a'))).features).toEqual(encoded);
  });
});

describe('on disk', () => {
  const row = async (kept: KeptFeatures, image: ImageToLoad): Promise<ImageOfSample> => {
    const found = await kept.find(image);
    return { key: image.key, found, image: found.features === null ? prepared : null };
  };

  test.each(['F32', 'BF16'] as const)('%s: another run has exactly the features of the first', async (dtype) => {
    const first = new KeptFeatures(0, await openCache(dtype));
    const [features] = await first.of(gsva, [await row(first, imageAt('a'))]);
    await first.flush();
    if (dtype === 'F32') expect(features).toEqual(encoded);
    else expect(features).not.toEqual(encoded);
    const cache = await openCache(dtype);
    const second = new KeptFeatures(0, cache);
    for (let epoch = 0; epoch < 2; epoch++) {
      const again = await row(second, imageAt('other key', 'refer_seg'));
      expect(again.image).toBeNull();
      expect(await second.of(gsva, [again])).toEqual([features]);
    }
    // Without room in memory it comes from disk each time.
    expect(cache.stats).toMatchObject({ hits: 4, misses: 0, written: 0 });
  });

  test('what came from disk is kept in memory, where there is room', async () => {
    const first = new KeptFeatures(0, await openCache());
    await first.of(gsva, [await row(first, imageAt('a'))]);
    await first.flush();
    const cache = await openCache();
    const second = new KeptFeatures(1e8, cache);
    for (let epoch = 0; epoch < 3; epoch++) await second.of(gsva, [await row(second, imageAt('a'))]);
    expect(cache.stats).toMatchObject({ hits: 2, misses: 0 });
  });

  test('questions in words ask for F_V1 alone, and what they computed serves those with masks', async () => {
    const cache = await openCache();
    const kept = new KeptFeatures(0, cache);
    const words = prepareImageFor({ clip: true, sam: false }, randomImage(24, 36, 1), ...sizes());
    const unknown = await kept.find(imageAt('v', 'vqa'));
    await kept.of(gsva, [{ key: 'v', found: unknown, image: words }]);
    await kept.flush();
    expect(cache.stats).toMatchObject({ misses: 1, written: 1 });
    expect((await kept.find(imageAt('v', 'vqa'))).features).toEqual({ ...encoded, imageEmbedding: null });
    expect(cache.stats).toMatchObject({ hits: 1, misses: 1 });
    // The same file in a set that asks for masks: F_V2 alone is still to see it.
    const found = await kept.find(imageAt('m'));
    const image = prepareImageFor({ clip: false, sam: true }, randomImage(24, 36, 1), ...sizes());
    expect(await kept.of(gsva, [{ key: 'm', found, image }])).toEqual([encoded]);
    await kept.flush();
    expect(cache.stats.written).toBe(2);
    expect((await kept.find(imageAt('m'))).features).toEqual(encoded);
  });

  test('a damaged entry and an image that was changed are computed again, a missing one is left to the loader', async () => {
    const kept = new KeptFeatures(0, await openCache());
    await kept.of(gsva, [await row(kept, imageAt('a'))]);
    await kept.flush();
    const cacheDir = join(dir, 'cache');
    for (const name of readdirSync(cacheDir, { recursive: true, encoding: 'utf8' })) {
      if (name.endsWith('.entry')) writeFileSync(join(cacheDir, name), readFileSync(join(cacheDir, name)).fill(7, 100));
    }
    const damaged = await row(kept, imageAt('a'));
    expect(damaged.found.features).toBeNull();
    expect(await kept.of(gsva, [damaged])).toEqual([encoded]);
    await kept.flush();
    expect((await kept.find(imageAt('a'))).features).toEqual(encoded);
    writeFileSync(join(dir, 'a.png'), 'another picture');
    expect((await kept.find(imageAt('a'))).features).toBeNull();
    expect(await kept.find(imageAt('a', 'refer_seg', 'missing.png'))).toEqual(nothing);
  });
});
