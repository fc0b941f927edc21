/**
 * Features of frozen encoders on disk, by encoder (name, sizes, weights), image (`imageKey`) and type of the numbers:
 * moved, renamed or edited images and retrained models need no invalidation. Each encoder has entries of its own, as
 * text alone, and [REJ], need no features for masks. Engines share entries: they agree to float32's rounding.
 */
import { createHash, type Hash } from 'node:crypto';
import { UserError } from '../errors.js';
import { bfloat16ToFloat32, firstOverflow, float32ToBfloat16 } from '../half-float.js';
import { FileCache, type FileCacheStats } from '../io/cache/file-cache.js';
import type { CompositeLayer } from '../nn/composite-layer.js';
import type { Arrays, ImageSize } from '../types.js';
import { type EncodedImage, type EncodingModel, merged } from './image-features.js';

/** SHA-256 of sizes and weights in hexadecimal, by encoder name. */
export type EncoderDigests = Readonly<Record<string, string>>;

/** Reads all weights of the encoders once: some 2 s for the published ones (3.7 GB). */
export async function encoderDigests({ encoders }: EncodingModel): Promise<EncoderDigests> {
  const digests: Record<string, string> = {};
  for (const [name, encoder] of Object.entries(encoders)) digests[name] = await digestOf(encoder);
  return digests;
}

async function digestOf(encoder: CompositeLayer): Promise<string> {
  // A layer's name counts the layers made before it, and whether it trains now changes nothing of what it computes.
  const config = { ...encoder.getConfig(), name: null, trainable: null };
  const hash = createHash('sha256').update(JSON.stringify([encoder.getClassName(), Object.entries(config).sort()]));
  for (const [name, { variable }] of encoder.namedParameters()) {
    hash.update(`\n${name} F32 ${JSON.stringify(variable.shape)}\n`);
    update(hash, await variable.read().data<'float32'>());
  }
  for (const [name, { matrix }] of encoder.packedParameters()) {
    hash.update(`\n${name} ${matrix.dtype} ${JSON.stringify([matrix.rows, matrix.columns])}\n`);
    for (const { first, count } of matrix.blocks()) update(hash, matrix.bits(first, count));
  }
  return hash.digest('hex');
}

function update(hash: Hash, { buffer, byteOffset, byteLength }: Float32Array | Uint16Array): void {
  hash.update(new Uint8Array(buffer, byteOffset, byteLength));
}

/** Raised when the meaning of an entry changes, also when images are decoded or prepared differently (data/image). */
const KIND = 'features, format 3';
/** [height, width] of the resized and of the original image, at the end of an entry. */
const SIZES_BYTES = 16;
/** Columns, rows and this mark follow where the image was cut into tiles; no image is so wide. */
const GRID_MARK = 0x64697267;
const GRID_BYTES = 12;

/** F32 is exact; BF16 takes half the room and rounds to 8 bits, as encoders in half precision do. */
export type FeatureDtype = 'F32' | 'BF16';

export interface FeatureFilesOptions {
  readonly maxBytes: number;
  readonly dtype: FeatureDtype;
  readonly encoders: EncoderDigests;
  /** Called once for each kind of trouble; none of them ends the run. */
  readonly onTrouble?: (message: string) => void;
}

export class FeatureFiles {
  private constructor(
    private readonly files: FileCache,
    private readonly options: FeatureFilesOptions,
  ) {}

  /** @throws UserError when the folder cannot be used, or is one of an older kind */
  static async open(dir: string, options: FeatureFilesOptions): Promise<FeatureFiles> {
    return new FeatureFiles(await FileCache.open(dir, { ...options, kind: KIND }), options);
  }

  /** Entries found, written, damaged, …; an image has one for each encoder. */
  get stats(): FileCacheStats {
    return this.files.stats;
  }

  /** Kept features of an image; null where there are none. */
  async get(key: string, encoders: Iterable<string>): Promise<EncodedImage | null> {
    const entries = await Promise.all([...encoders].map((name) => this.read(name, key)));
    return entries.reduce<EncodedImage | null>(merged, null);
  }

  /** Keeps features as far as there is room; settles when they are on disk. Never fails. */
  async put(key: string, { features, ...size }: EncodedImage): Promise<void> {
    const sizes = packedSize(size);
    // Encoded at once: the caller may change the arrays afterwards.
    const entries = Object.entries(features).map(([name, numbers]) => {
      return { name: this.nameOf(name, key), content: [this.encode(numbers), bytesOf(sizes)] };
    });
    await Promise.all(entries.map(({ name, content }) => this.files.put(name, content)));
  }

  /** An image as `get` will give it back. @throws UserError where a feature is finite and too large for BF16 */
  asKept(image: EncodedImage): EncodedImage {
    if (this.options.dtype === 'F32') return image;
    const features = Object.entries(image.features).map(([name, numbers]) => {
      const lost = firstOverflow(numbers, 'BF16');
      if (lost < 0) return [name, bfloat16ToFloat32(float32ToBfloat16(numbers))];
      throw new UserError(
        `Keeping the features of an image in BF16: those of "${name}" hold ${numbers[lost]}, which BF16 cannot hold. ` +
          'Keep them in f32.',
      );
    });
    return { ...image, features: Object.fromEntries(features) as Arrays };
  }

  private async read(encoder: string, key: string): Promise<EncodedImage | null> {
    const content = await this.files.get(this.nameOf(encoder, key));
    if (content === null) return null;
    const { size, end } = unpackedSize(content);
    return { ...size, features: { [encoder]: this.decode(content.subarray(0, end)) } };
  }

  private nameOf(encoder: string, key: string): Buffer {
    const { dtype, encoders } = this.options;
    return createHash('sha256')
      .update(JSON.stringify([KIND, encoder, encoders[encoder], dtype, key]))
      .digest();
  }

  private encode(numbers: Float32Array): Uint8Array {
    return bytesOf(this.options.dtype === 'F32' ? numbers.slice() : float32ToBfloat16(numbers));
  }

  /** @param content from the beginning of its memory, so that it is aligned */
  private decode({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array {
    if (this.options.dtype === 'F32') return new Float32Array(buffer, byteOffset, byteLength / 4);
    return bfloat16ToFloat32(new Uint16Array(buffer, byteOffset, byteLength / 2));
  }
}

function packedSize({ resized, original, grid }: ImageSize): Uint32Array {
  const tiles = grid === undefined ? [] : [grid.columns, grid.rows, GRID_MARK];
  return Uint32Array.of(...resized, ...original, ...tiles);
}

/** Size at the end of an entry, and where the features before it end. */
function unpackedSize(content: Uint8Array): { readonly size: ImageSize; readonly end: number } {
  const isTiled =
    new DataView(content.buffer, content.byteOffset).getUint32(content.byteLength - 4, true) === GRID_MARK;
  const end = content.byteLength - SIZES_BYTES - (isTiled ? GRID_BYTES : 0);
  const [a = 0, b = 0, c = 0, d = 0, columns = 1, rows = 1] = new Uint32Array(content.slice(end).buffer);
  return { size: { resized: [a, b], original: [c, d], ...(isTiled ? { grid: { columns, rows } } : {}) }, end };
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
