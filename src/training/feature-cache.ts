/**
 * What the frozen encoders F_V1 and F_V2 say of images, kept on disk from one epoch and one run to the next. It is a
 * function of the image's bytes and of an encoder's weights and sizes, so these are what an entry is found by: an image
 * that is changed, moved or renamed, and a model that is trained on, need nothing to be said. Each encoder has entries
 * of its own, because conversations in words alone need F_V1 only. The cache's folder is named by the user; nothing is
 * written beside the images.
 *
 * The engine is no part of the key: engines agree to float32's rounding.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { UserError, messageOf } from '../errors.js';
import { bfloat16ToFloat32, float32ToBfloat16 } from '../half-float.js';
import { FileCache, type FileCacheStats } from '../io/file-cache.js';
import type { EncodedImage } from '../model/image-features.js';
import type { EncoderDigests } from './encoder-digest.js';

/** Raised when the meaning of an entry changes, also when images are prepared differently (data/prepare-image.ts). */
const FORMAT = 1;
/** [height, width] of the resized and of the original image, at the end of F_V2's entries. */
const SIZES_BYTES = 16;
/** Images that may be held by `prefetch`: 160 MB at the sizes of the published models. */
const MOST_AHEAD = 32;

/** F32 is exact; BF16 takes half the room and rounds to 8 bits, as encoders in half precision do. */
export type FeatureDtype = 'F32' | 'BF16';

export interface FeatureCacheOptions {
  /** Bytes that the folder may have. */
  readonly maxBytes: number;
  readonly dtype: FeatureDtype;
  /** Which encoders the features are of. */
  readonly encoders: EncoderDigests;
  /** Told once of each kind of trouble; none of them ends the run. */
  readonly onTrouble?: (message: string) => void;
}

type Encoder = keyof EncoderDigests;

export class FeatureCache {
  private readonly ahead = new Map<string, Promise<EncodedImage | null>>();

  private constructor(
    private readonly files: FileCache,
    private readonly options: FeatureCacheOptions,
  ) {}

  /** @throws UserError when the folder cannot be used */
  static async open(dir: string, options: FeatureCacheOptions): Promise<FeatureCache> {
    return new FeatureCache(await FileCache.open(dir, options), options);
  }

  /** Entries found, written, damaged, …; an image has two. */
  get stats(): FileCacheStats {
    return this.files.stats;
  }

  /**
   * The features of an image; null where either encoder's are not kept.
   * @param image digest of the image's file (`imageDigest`)
   */
  async get(image: string): Promise<EncodedImage | null> {
    const started = this.ahead.get(image);
    this.ahead.delete(image);
    return started ?? this.read(image);
  }

  /** F_V1's features [N, D] alone. */
  async getClipFeatures(image: string): Promise<Float32Array | null> {
    const content = await this.files.get(this.keyOf('clip', image));
    return content === null ? null : this.decode(content);
  }

  /** Begins to read what `get` will be asked for soon. */
  prefetch(image: string): void {
    if (this.ahead.has(image)) return;
    for (const oldest of this.ahead.keys()) {
      if (this.ahead.size < MOST_AHEAD) break;
      this.ahead.delete(oldest);
    }
    this.ahead.set(image, this.read(image));
  }

  /** Keeps the features of an image, as far as there is room; settles when they are on disk. Never fails. */
  async put(image: string, features: EncodedImage): Promise<void> {
    const { imageEmbedding, resized, original } = features;
    const sizes = Buffer.alloc(SIZES_BYTES);
    [...resized, ...original].forEach((size, i) => sizes.writeUInt32LE(size, 4 * i));
    // Narrowed at once: the caller may do with the arrays what it likes afterwards.
    const embedding = this.encode(imageEmbedding);
    const clip = this.putClipFeatures(image, features.clipFeatures);
    await Promise.all([clip, this.files.put(this.keyOf('sam', image), [embedding, sizes])]);
  }

  /** Keeps F_V1's features alone. */
  async putClipFeatures(image: string, clipFeatures: Float32Array): Promise<void> {
    this.ahead.delete(image);
    await this.files.put(this.keyOf('clip', image), [this.encode(clipFeatures)]);
  }

  private async read(image: string): Promise<EncodedImage | null> {
    const [clipFeatures, sam] = await Promise.all([
      this.getClipFeatures(image),
      this.files.get(this.keyOf('sam', image)),
    ]);
    if (clipFeatures === null || sam === null) return null;
    const end = sam.byteLength - SIZES_BYTES;
    const sizes = new DataView(sam.buffer, sam.byteOffset + end, SIZES_BYTES);
    return {
      clipFeatures,
      imageEmbedding: this.decode(sam.subarray(0, end)),
      resized: [sizes.getUint32(0, true), sizes.getUint32(4, true)],
      original: [sizes.getUint32(8, true), sizes.getUint32(12, true)],
    };
  }

  private keyOf(encoder: Encoder, image: string): Buffer {
    const { dtype, encoders } = this.options;
    return createHash('sha256')
      .update(JSON.stringify(['features', FORMAT, encoder, encoders[encoder], dtype, image]))
      .digest();
  }

  private encode(features: Float32Array): Uint8Array {
    const numbers = this.options.dtype === 'F32' ? features.slice() : float32ToBfloat16(features);
    return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  }

  /** @param content from the beginning of its memory, so that it is aligned */
  private decode({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array {
    if (this.options.dtype === 'F32') return new Float32Array(buffer, byteOffset, byteLength / 4);
    return bfloat16ToFloat32(new Uint16Array(buffer, byteOffset, byteLength / 2));
  }
}

/**
 * SHA-256 of an image file's bytes, in hexadecimal.
 * @throws UserError when it cannot be read
 */
export async function imageDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  } catch (error) {
    throw new UserError(`Cannot read the image ${path}: ${messageOf(error)}. Check the path.`);
  }
  return hash.digest('hex');
}
