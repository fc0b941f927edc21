/**
 * Label maps: PNG files whose pixels are class numbers, either grey levels or palette indices. Image decoders expand
 * the palette, so the file is relabelled as grey first.
 */
import { crc32 } from 'node:zlib';
import { PNG } from 'pngjs';
import { UserError, messageOf } from '../../errors.js';
import { GREY, PALETTE, PNG_SIGNATURE, type PngFile, pngChunks, readPngFile } from './png-file.js';

export interface LabelMap {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
}

/**
 * Reads a grey or palette PNG of at most 8 bits as stored numbers: white of 1 bit is 1.
 * @throws UserError that names the file: missing, not such a PNG, damaged, too large
 */
export function readIndexPng(path: string): LabelMap {
  try {
    return decodeIndexPng(readPngFile(path));
  } catch (error) {
    throw new UserError(`Cannot read ${path} as a label map: ${messageOf(error)}.`);
  }
}

/**
 * The stored numbers of a PNG in memory.
 * @throws Error, without a file's name, where it is no grey or palette PNG of at most 8 bits, or damaged
 */
export function decodeIndexPng(file: PngFile): LabelMap {
  const fault = indexPngFault(file);
  if (fault !== null) throw new Error(fault);
  const { bytes, width, height } = file;
  let decoded: PNG;
  try {
    // Unscaled: numbers of fewer than 8 bits must not be stretched to 0..255 as grey levels are.
    decoded = PNG.sync.read(asGrey(bytes), { skipRescale: true });
  } catch (error) {
    throw new Error(`it is damaged (${messageOf(error)})`, { cause: error });
  }
  const data = new Uint8Array(width * height);
  for (let i = 0; i < data.length; i++) data[i] = decoded.data[i * 4] as number;
  return { data, height, width };
}

export function indexPngFault({ colour, depth }: Pick<PngFile, 'colour' | 'depth'>): string | null {
  if (depth <= 8 && (colour === GREY || colour === PALETTE)) return null;
  return `it has colour type ${colour} with ${depth} bits; expected grey (0) or palette (3) with at most 8`;
}

/** A grey PNG of 8 bits whose grey levels are the numbers. */
export function encodeIndexPng({ data, height, width }: LabelMap): Buffer {
  const png = new PNG({ width, height });
  png.data = Buffer.from(data);
  return PNG.sync.write(png, { colorType: GREY, inputColorType: GREY, inputHasAlpha: false, bitDepth: 8 });
}

/** The same file with colour type grey, without palette and transparency. */
function asGrey(file: Buffer): Buffer {
  const header = Buffer.from(file.subarray(8, 33));
  header[17] = GREY;
  header.writeUInt32BE(crc32(header.subarray(4, 21)), 21);
  const parts: Uint8Array[] = [PNG_SIGNATURE, header];
  for (const { type, whole } of pngChunks(file)) if (type !== 'PLTE' && type !== 'tRNS') parts.push(whole);
  return Buffer.concat(parts);
}
