/**
 * What the frozen encoders F_V1 and F_V2 say of images, kept on disk from one epoch and one run to the next. It is a
 * function of the image's bytes and of an encoder's weights and sizes, so these are what an entry is found by: an image
 * that is changed, moved or renamed, and a model that is trained on, need nothing to be said. Each encoder has entries
 * of its own, because conversations in words alone, and [REJ], need F_V1 only. The cache's folder is named by the user; nothing is
 * written beside the images.
 *
 * The engine is no part of the key: engines agree to float32's rounding.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { UserError, messageOf } from '../errors.js';
import { bfloat16ToFloat32, firstOverflow, float32ToBfloat16 } from '../half-float.js';
import { FileCache, type FileCacheStats } from '../io/cache/file-cache.js';
import type { EncoderNeeds } from '../data/image/prepare-image.js';
import type { ImageFeatures } from './image-features.js';
import type { EncoderDigests } from './encoder-digest.js';

/** Raised when the meaning of an entry changes, also when images are prepared differently (data/image). */
const FORMAT = 2;
/** [height, width] of the resized and of the original image, at the end of an entry. */
const SIZES_BYTES = 16;

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

/** One encoder's features of an image. */
interface Entry {
  readonly features: Float32Array;
  readonly sizes: Pick<ImageFeatures, 'resized' | 'original'>;
}

export class FeatureCache {
  private constructor(
    private readonly files: FileCache,
    private readonly options: FeatureCacheOptions,
  ) {}

  /** @throws UserError when the folder cannot be used */
  static async open(dir: string, options: FeatureCacheOptions): Promise<FeatureCache> {
    return new FeatureCache(await FileCache.open(dir, options), options);
  }

  /** Entries found, written, damaged, …; an image has one for each encoder. */
  get stats(): FileCacheStats {
    return this.files.stats;
  }

  /**
   * The features of an image: null where F_V1's are not there, F_V2's null where they are not, or not asked for.
   * @param image digest of the image's file (`imageDigest`)
   */
  async get(image: string, withMasks: boolean): Promise<ImageFeatures | null> {
    const [clip, sam] = await Promise.all([this.read('clip', image), withMasks ? this.read('sam', image) : null]);
    if (clip === null) return null;
    return { clipFeatures: clip.features, imageEmbedding: sam?.features ?? null, ...clip.sizes };
  }

  /**
   * Keeps features of an image, as far as there is room; settles when they are on disk. Never fails.
   * @param which encoders' features to keep
   */
  async put(image: string, features: ImageFeatures, which: EncoderNeeds): Promise<void> {
    const sizes = Buffer.alloc(SIZES_BYTES);
    [...features.resized, ...features.original].forEach((size, i) => sizes.writeUInt32LE(size, 4 * i));
    const entries = [
      ['clip', which.clip ? features.clipFeatures : null],
      ['sam', which.sam ? features.imageEmbedding : null],
    ] as const;
    // Encoded at once: the caller may do with the arrays what it likes afterwards.
    const pieces = entries.flatMap(([encoder, numbers]) => {
      return numbers === null ? [] : [{ key: this.keyOf(encoder, image), content: [this.encode(numbers), sizes] }];
    });
    await Promise.all(pieces.map(({ key, content }) => this.files.put(key, content)));
  }

  /** Features as `get` will give them back. @throws UserError where one is finite and too large for BF16 */
  asKept(features: Float32Array): Float32Array {
    if (this.options.dtype === 'F32') return features;
    const lost = firstOverflow(features, 'BF16');
    if (lost < 0) return bfloat16ToFloat32(float32ToBfloat16(features));
    throw new UserError(
      `Keeping the features of an image in BF16: they hold ${features[lost]}, which BF16 cannot hold. Keep them in f32.`,
    );
  }

  private async read(encoder: Encoder, image: string): Promise<Entry | null> {
    const content = await this.files.get(this.keyOf(encoder, image));
    if (content === null) return null;
    const end = content.byteLength - SIZES_BYTES;
    const sizes = new DataView(content.buffer, content.byteOffset + end, SIZES_BYTES);
    const size = (i: number): number => sizes.getUint32(4 * i, true);
    return {
      features: this.decode(content.subarray(0, end)),
      sizes: { resized: [size(0), size(1)], original: [size(2), size(3)] },
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
