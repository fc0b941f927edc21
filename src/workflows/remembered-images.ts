/** A predictor that encodes no picture twice: for models that share their encoders, and for runs that share a cache. */
import { createHash } from 'node:crypto';
import type { Responder } from '../evaluation/responder.js';
import type { Predictor } from '../inference/predictor.js';
import type { EncodedImage } from '../features/image-features.js';
import type { FeatureCache } from '../features/feature-cache.js';
import type { RgbImage } from '../types.js';

/** Features of the same encoders, by picture. */
export interface ImageStore {
  get(key: string): Promise<EncodedImage | null>;
  /** @returns the image as `get` will give it, so that figures do not depend on earlier entries */
  put(key: string, image: EncodedImage): Promise<EncodedImage>;
}

/** In memory, without a bound: for a few hundred images. */
export function memoryStore(): ImageStore {
  const known = new Map<string, EncodedImage>();
  return {
    get: (key) => Promise.resolve(known.get(key) ?? null),
    put: (key, image) => {
      known.set(key, image);
      return Promise.resolve(image);
    },
  };
}

/** On disk, rounded where the cache keeps bf16. */
export function diskStore(cache: FeatureCache): ImageStore {
  return {
    get: async (key) => {
      const { imageEmbedding = null, ...rest } = (await cache.get(key, true)) ?? {};
      return imageEmbedding === null ? null : { ...(rest as Omit<EncodedImage, 'imageEmbedding'>), imageEmbedding };
    },
    put: async (key, image) => {
      await cache.put(key, image, { clip: true, sam: true });
      const { clipFeatures, imageEmbedding } = image;
      return { ...image, clipFeatures: cache.asKept(clipFeatures), imageEmbedding: cache.asKept(imageEmbedding) };
    },
  };
}

/** The predictor's answers; its encoders are those of the store. */
export function rememberingResponder(
  predictor: Pick<Predictor, 'encode' | 'force' | 'generate' | 'refusal'>,
  store: ImageStore,
): Responder<EncodedImage> {
  return {
    encode: (images) => encode(predictor, store, images),
    force: (questions) => predictor.force(questions),
    generate: (question, options) => predictor.generate(question, options),
    refusal: (expressions, form) => predictor.refusal(expressions, form),
  };
}

async function encode(
  predictor: Pick<Predictor, 'encode'>,
  store: ImageStore,
  images: readonly RgbImage[],
): Promise<EncodedImage[]> {
  const keys = images.map(keyOf);
  const found = await Promise.all(keys.map((key) => store.get(key)));
  const fresh = images.filter((_, i) => found[i] === null);
  const encoded = fresh.length === 0 ? [] : await predictor.encode(fresh);
  const missing = keys.filter((_, i) => found[i] === null);
  const kept = await Promise.all(missing.map((key, i) => store.put(key, encoded[i] as EncodedImage)));
  let next = 0;
  return found.map((image) => image ?? (kept[next++] as EncodedImage));
}

/** Digest of the pixels, on which alone the features depend. */
function keyOf({ data, height, width }: RgbImage): string {
  return createHash('sha256').update(`pixels ${height} ${width}\n`).update(data).digest('hex');
}
