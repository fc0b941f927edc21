/** Masks as other programs have them: COCO's compressed run lengths and PNG files. Polygons are in mask-polygons.ts. */
import { UserError, messageOf } from '../../errors.js';
import { maskPng } from '../../io/image/image-file.js';
import { decodeMaskPng, readMaskPng } from '../../io/image/mask-png.js';
import type { BinaryMask } from '../../types.js';
import { decodeMask, encodeMask, rleFromCounts, rleFromString, rleToString, shown } from './coco-mask.js';

/** A mask as pycocotools and COCO's files have it. */
export interface CocoRle {
  /** [height, width]. */
  readonly size: readonly [number, number];
  /** Runs of outside and inside down the columns, compressed into ASCII. */
  readonly counts: string;
}

/** @param mask 0 outside, everything else inside */
export function maskToRle(mask: BinaryMask): CocoRle {
  checkMask(mask, 'Encoding a mask');
  const rle = encodeMask(mask);
  return { size: [mask.height, mask.width], counts: rleToString(rle) };
}

/**
 * @param rle its counts compressed, or a list of run lengths
 * @returns 1 inside, 0 outside
 * @throws UserError where size or counts are malformed, or the runs do not fill the size
 */
export function rleToMask(rle: {
  readonly size: readonly number[];
  readonly counts: string | readonly number[];
}): BinaryMask {
  const { size, counts } = rle as { size: unknown; counts: unknown };
  if (!Array.isArray(size) || size.length !== 2) {
    throw new UserError(`Decoding a mask: its size is ${shown(size)}; expected [height, width].`);
  }
  const [height, width] = size as [number, number];
  if (typeof counts === 'string') return decodeMask(rleFromString(counts, height, width));
  if (Array.isArray(counts)) return decodeMask(rleFromCounts(counts, height, width));
  throw new UserError(`Decoding a mask: its counts are ${shown(counts)}; expected a text or a list of run lengths.`);
}

/** The bytes of a grey PNG, 255 inside and 0 outside. */
export async function maskToPng(mask: BinaryMask): Promise<Uint8Array> {
  checkMask(mask, 'Writing a mask as PNG');
  return new Uint8Array(await maskPng(mask));
}

/**
 * Reads a mask from a PNG: pixels that are neither black nor transparent are inside.
 * @param source path, or the bytes of a file
 * @returns 1 inside, 0 outside
 * @throws UserError that names the file: missing, not a PNG, damaged, too large
 */
export function pngToMask(source: string | Uint8Array): BinaryMask {
  if (typeof source === 'string') return readMaskPng(source);
  try {
    return decodeMaskPng(Buffer.from(source.buffer, source.byteOffset, source.byteLength));
  } catch (error) {
    throw new UserError(`Cannot read the given bytes as a mask: ${messageOf(error)}.`);
  }
}

/** @throws UserError where the pixels do not fill the size */
export function checkMask(mask: BinaryMask, doing: string): void {
  const { data, height, width } = mask as Partial<BinaryMask>;
  if (data !== undefined && height !== undefined && width !== undefined && data.length === height * width) return;
  throw new UserError(
    `${doing}: it has ${data?.length ?? 'no'} pixels for ${shown(height)} x ${shown(width)} (height x width); ` +
      'expected { data, height, width } with one number per pixel.',
  );
}
