/**
 * Features of frozen encoders, kept on disk from one epoch and one run to the next. They are a function of the image's
 * bytes and of an encoder's weights and sizes, so these form the key: moved, renamed or edited images and retrained models
 * need no invalidation. Each encoder has entries of its own, because conversations in words alone, and [REJ], need no
 * features for masks. The folder is named by the user; nothing is written next to the images.
 *
 * The engine is no part of the key: engines agree to float32's rounding.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { UserError, messageOf } from '../errors.js';
import { bfloat16ToFloat32, firstOverflow, float32ToBfloat16 } from '../half-float.js';
import { FileCache, type FileCacheStats } from '../io/cache/file-cache.js';
import type { EncodedImage } from './image-features.js';
import type { EncoderDigests } from './encoder-digest.js';

/** Raised when the meaning of an entry changes, also when images are prepared differently (data/image). */
const FORMAT = 3;
/** [height, width] of the resized and of the original image, at the end of an entry. */
const SIZES_BYTES = 16;

/** F32 is exact; BF16 takes half the room and rounds to 8 bits, as encoders in half precision do. */
export type FeatureDtype = 'F32' | 'BF16';

export interface FeatureCacheOptions {
  /** Bytes that the folder may have. */
  readonly maxBytes: number;
  readonly dtype: FeatureDtype;
  /** Digests of the encoders that compute the features. */
  readonly encoders: EncoderDigests;
  /** Called once for each kind of trouble; none of them ends the run. */
  readonly onTrouble?: (message: string) => void;
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
   * The kept features of an image; null where there are none.
   * @param image digest of the image's file (`imageDigest`)
   * @param which encoders' features to look for
   */
  async get(image: string, which: ReadonlySet<string>): Promise<EncodedImage | null> {
    const names = Object.keys(this.options.encoders).filter((name) => which.has(name));
    const entries = await Promise.all(names.map((name) => this.read(name, image)));
    const found = entries.filter((entry) => entry !== null);
    const [first] = found;
    return first === undefined
      ? null
      : { ...first, features: Object.assign({}, ...found.map((entry) => entry.features)) as EncodedImage['features'] };
  }

  /**
   * Keeps features of an image, as far as there is room; settles when they are on disk. Never fails.
   * @param which encoders' features to keep
   */
  async put(image: string, { features, resized, original }: EncodedImage, which: ReadonlySet<string>): Promise<void> {
    const sizes = Buffer.alloc(SIZES_BYTES);
    [...resized, ...original].forEach((size, i) => sizes.writeUInt32LE(size, 4 * i));
    // Encoded at once: the caller may change the arrays afterwards.
    const pieces = Object.entries(features).flatMap(([encoder, numbers]) => {
      return which.has(encoder) ? [{ key: this.keyOf(encoder, image), content: [this.encode(numbers), sizes] }] : [];
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

  private async read(encoder: string, image: string): Promise<EncodedImage | null> {
    const content = await this.files.get(this.keyOf(encoder, image));
    if (content === null) return null;
    const end = content.byteLength - SIZES_BYTES;
    const sizes = new DataView(content.buffer, content.byteOffset + end, SIZES_BYTES);
    const size = (i: number): number => sizes.getUint32(4 * i, true);
    return {
      features: { [encoder]: this.decode(content.subarray(0, end)) },
      resized: [size(0), size(1)],
      original: [size(2), size(3)],
    };
  }

  private keyOf(encoder: string, image: string): Buffer {
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
