/**
 * Label maps: PNG files whose pixels are class numbers, either grey levels or palette indices (the colours mean
 * nothing then). Image decoders expand the palette, so the file is relabelled as grey before it is decoded.
 */
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { PNG } from 'pngjs';
import { UserError, messageOf } from '../errors.js';

/** One number from 0 to 255 per pixel, row by row. */
export interface LabelMap {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
}

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const MOST_PIXELS = 100_000_000;
const GREY = 0;
const PALETTE = 3;

/**
 * Reads a grey or palette PNG of at most 8 bits as numbers.
 * @throws UserError that names the file: missing, not such a PNG, damaged, too large
 */
export function readIndexPng(path: string): LabelMap {
  const fail = (what: string): never => {
    throw new UserError(`Cannot read ${path} as a label map: ${what}.`);
  };
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch (error) {
    return fail(`${messageOf(error)}; check the path`);
  }
  try {
    return decodeIndexPng(file);
  } catch (error) {
    return fail(messageOf(error));
  }
}

/** The label map of a PNG in memory. @throws Error, without a file's name, as `readIndexPng` */
export function decodeIndexPng(file: Buffer): LabelMap {
  if (file.length < 33 || !file.subarray(0, 8).equals(SIGNATURE) || file.toString('latin1', 12, 16) !== 'IHDR') {
    throw new Error('it is not a PNG file');
  }
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)];
  const [depth, colour] = [file[24] as number, file[25] as number];
  if (depth > 8 || (colour !== GREY && colour !== PALETTE)) {
    throw new Error(`it has colour type ${colour} with ${depth} bits; expected grey (0) or palette (3) with at most 8`);
  }
  if (width * height > MOST_PIXELS) throw new Error(`${width} x ${height} pixels are too many`);
  try {
    // Palette indices of fewer than 8 bits must not be stretched to 0..255 as grey levels are.
    const decoded = PNG.sync.read(asGrey(file), { skipRescale: colour === PALETTE });
    const data = new Uint8Array(width * height);
    for (let i = 0; i < data.length; i++) data[i] = decoded.data[i * 4] as number;
    return { data, height, width };
  } catch (error) {
    throw new Error(`it is damaged (${messageOf(error)})`, { cause: error });
  }
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
  const parts: Uint8Array[] = [SIGNATURE, header];
  for (let at = 33; at + 12 <= file.length;) {
    const end = at + 12 + file.readUInt32BE(at);
    const type = file.toString('latin1', at + 4, at + 8);
    if (type !== 'PLTE' && type !== 'tRNS') parts.push(file.subarray(at, end));
    at = end;
  }
  return Buffer.concat(parts);
}
