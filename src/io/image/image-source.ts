/** Image files as bytes that are read piece by piece, their errors, and the limit of their size. */
import { UserError } from '../../errors.js';
import type { RgbImage } from '../../types.js';
import { fileOpener, readPart } from '../byte-source.js';
import type { Fail } from '../safetensors/safetensors-header.js';

export type ImageSource = string | Uint8Array;

/** Limit of pixels, checked at decoding and by header alone: 100 million pixels are 300 MB. */
export const MOST_PIXELS = 100_000_000;

/** Throws the error of a source; the sentence follows a colon. */
export type ImageFailure = Fail;

export function imageFailure(source: ImageSource): ImageFailure {
  return (what) => {
    throw new UserError(`Cannot read ${typeof source === 'string' ? source : 'the given image'} as an image: ${what}`);
  };
}

/** @throws UserError where the image has more pixels than are read */
export function checkPixels(width: number, height: number, fail: ImageFailure): void {
  if (width * height <= MOST_PIXELS) return;
  fail(`it has ${width} x ${height} pixels, at most ${MOST_PIXELS / 1e6} million are allowed; make it smaller.`);
}

/** Bytes at any place of a source; none past its end. */
export interface ImageBytes {
  readonly size: number;
  /** `length` bytes from `position` on, fewer at the end. */
  at(position: number, length: number): Buffer;
}

/** Opens a source for the time of `use`. @throws UserError that names the file: missing, not a file, not readable */
export function withImageBytes<T>(source: ImageSource, use: (bytes: ImageBytes) => T): T {
  if (typeof source === 'string') {
    return fileOpener(
      source,
      'an image',
    )((file) => {
      const { size } = file;
      const at = (position: number, length: number): Buffer =>
        readPart(file, position, Math.max(0, Math.min(length, size - position)));
      return use({ size, at });
    });
  }
  const bytes = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  return use({
    size: bytes.length,
    at: (position, length) => bytes.subarray(position, Math.max(position, position + length)),
  });
}

export function allBytes(source: ImageSource): Buffer {
  return withImageBytes(source, (bytes) => bytes.at(0, bytes.size));
}

/** Readers of numbers in either order of bytes. */
export function numberReaders(isLittle: boolean) {
  return {
    u16: (bytes: Buffer, at: number): number => (isLittle ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at)),
    u32: (bytes: Buffer, at: number): number => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)),
    u64: (bytes: Buffer, at: number): number =>
      Number(isLittle ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at)),
  };
}

/** Whether height and width change places. */
export function swapsSides(orientation: number): boolean {
  return orientation >= 5;
}

/**
 * The image upright; itself for 1.
 * @param orientation EXIF's: 2 mirrored, 3 upside down, 4 flipped, 5 transposed, 6 to be turned right, 7 transversed,
 *   8 to be turned left
 */
export function turned(image: RgbImage, orientation: number): RgbImage {
  if (orientation <= 1 || orientation > 8) return image;
  const { data, height, width } = image;
  const [newHeight, newWidth] = swapsSides(orientation) ? [width, height] : [height, width];
  // Where the first pixel of a new row comes from, and the steps to the next pixel and the next row.
  const fromRight = orientation === 2 || orientation === 3 || orientation === 7 || orientation === 8;
  const fromBelow = orientation === 3 || orientation === 4 || orientation === 6 || orientation === 7;
  const [stepX, stepY] = [fromRight ? -1 : 1, fromBelow ? -width : width];
  const [along, down] = swapsSides(orientation) ? [stepY, stepX] : [stepX, stepY];
  const first = (fromRight ? width - 1 : 0) + (fromBelow ? (height - 1) * width : 0);
  const result = new Uint8Array(data.length);
  let to = 0;
  for (let y = 0; y < newHeight; y++) {
    let from = 3 * (first + y * down);
    for (let x = 0; x < newWidth; x++) {
      result[to++] = data[from] as number;
      result[to++] = data[from + 1] as number;
      result[to++] = data[from + 2] as number;
      from += 3 * along;
    }
  }
  return { data: result, height: newHeight, width: newWidth };
}
