/**
 * PNG properties that sharp and pngjs hide: size, depth, colour type, palette and transparency as stored. And label maps:
 * PNG files whose pixels are class numbers, either grey levels or palette indices. Image decoders expand the palette, so
 * such a file is relabelled as grey first.
 */
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { PNG } from 'pngjs';
import { UserError, messageOf } from '../../errors.js';
import { MOST_PIXELS } from './image-source.js';

const GREY = 0;
export const PALETTE = 3;

const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const NAME = PNG_SIGNATURE.subarray(0, 4);
const [CARRIAGE_RETURN, LINE_FEED] = [0x0d, 0x0a];
/** Signature and header chunk. */
const HEADER_END = 33;

export interface PngFile {
  readonly bytes: Buffer;
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGB with alpha. */
  readonly colour: number;
}

/** Reads a PNG, its header checked. @throws Error without the name: missing, no PNG, damaged line ends, too large */
export function readPngFile(path: string): PngFile {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new Error(code === 'ENOENT' ? 'there is no such file; check the path' : messageOf(error), { cause: error });
  }
  return pngFile(bytes);
}

/** The header of a PNG in memory. @throws Error: no PNG, damaged line ends, too large */
export function pngFile(bytes: Buffer): PngFile {
  const damage = lineEndDamage(bytes);
  if (damage !== null) throw new Error(damage);
  const isPng = bytes.length >= HEADER_END && bytes.subarray(0, 8).equals(PNG_SIGNATURE);
  if (!isPng || bytes.toString('latin1', 12, 16) !== 'IHDR') throw new Error('it is not a PNG file');
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  if (width * height > MOST_PIXELS) throw new Error(`${width} x ${height} pixels are too many`);
  return { bytes, width, height, depth: bytes[24] as number, colour: bytes[25] as number };
}

/** The data of the first chunk of a type, null where there is none. */
export function pngChunk({ bytes }: PngFile, type: string): Buffer | null {
  for (const chunk of pngChunks(bytes)) if (chunk.type === type) return chunk.data;
  return null;
}

/** The whole chunks after the header. */
function* pngChunks(bytes: Buffer): Generator<{ type: string; data: Buffer; whole: Buffer }> {
  for (let at = HEADER_END; at + 12 <= bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const end = at + 12 + length;
    const type = bytes.toString('latin1', at + 4, at + 8);
    yield { type, data: bytes.subarray(at + 8, at + 8 + length), whole: bytes.subarray(at, end) };
    at = end;
  }
}

/**
 * Description of converted line ends, and the way back: the signature holds CR LF and a lone LF to reveal them. Null
 * for an intact PNG and for any other file.
 */
function lineEndDamage(bytes: Buffer): string | null {
  if (!bytes.subarray(0, 4).equals(NAME)) return null;
  const [fifth, sixth] = [bytes[4], bytes[5]];
  if (fifth === LINE_FEED) {
    return (
      'its line ends were converted from CR LF to LF (git or FTP took it for a text), which cannot be undone; get it ' +
      'again in binary mode (git: put "*.png binary" into .gitattributes)'
    );
  }
  if (fifth !== CARRIAGE_RETURN || sixth !== CARRIAGE_RETURN) return null;
  return (
    'its line ends were converted from LF to CR LF (git or FTP took it for a text); get it again in binary mode, or ' +
    "undo it with: perl -0777 -pi -e 's/\\r\\n/\\n/g' FILE"
  );
}

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

/** Stored numbers of a PNG. @throws Error without the name: damaged, or no grey or palette PNG of at most 8 bits */
export function decodeIndexPng(file: PngFile): LabelMap {
  const fault = indexPngFault(file);
  if (fault !== null) throw new Error(fault);
  const { bytes, width, height } = file;
  const rgba = decodePng(asGrey(bytes));
  const data = new Uint8Array(width * height);
  for (let i = 0; i < data.length; i++) data[i] = rgba[i * 4] as number;
  return { data, height, width };
}

/**
 * Four samples per pixel, unscaled: numbers of fewer than 8 bits must not be stretched to 0..255 as grey levels are, and
 * a 16-bit value below 256 would become 0. @throws Error where it is damaged
 */
export function decodePng(bytes: Buffer): ArrayLike<number> {
  try {
    return PNG.sync.read(bytes, { skipRescale: true }).data;
  } catch (error) {
    throw new Error(`it is damaged (${messageOf(error)})`, { cause: error });
  }
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

/** Regions of each colour in any kind of PNG: its colours stand for something. */
export interface ColourMap {
  readonly height: number;
  readonly width: number;
  /** Index into `values` of each pixel, row by row. */
  readonly regions: Uint16Array;
  /** Colours, or numbers in a grey PNG, that occur. */
  readonly values: readonly number[];
  /** Whether `values` are stored numbers, of a grey PNG, not colours. */
  readonly isNumbered: boolean;
}

/** More colours occur in photos and in maps shrunk with smoothing. */
const MOST_COLOURS = 4096;

/** @throws UserError that names the file: missing, no PNG, damaged, or of more than 4096 colours */
export function readColourPng(path: string): ColourMap {
  try {
    const file = readPngFile(path);
    const { width, height, depth, colour } = file;
    if (depth <= 8 && (colour === GREY || colour === PALETTE)) {
      const { data } = decodeIndexPng(file);
      const palette = colour === PALETTE ? pngChunk(file, 'PLTE') : null;
      const value = (number: number): number => {
        return palette !== null && palette.length >= 3 * number + 3 ? palette.readUIntBE(3 * number, 3) : number;
      };
      return { ...regionsOf(data.length, (i) => value(data[i] as number)), width, height, isNumbered: colour === GREY };
    }
    const { data } = PNG.sync.read(file.bytes);
    return { ...regionsOf(width * height, (i) => data.readUIntBE(4 * i, 3)), width, height, isNumbered: false };
  } catch (error) {
    throw new UserError(`Cannot read ${path} as a map of classes: ${messageOf(error)}.`);
  }
}

function regionsOf(pixels: number, valueAt: (index: number) => number): Pick<ColourMap, 'regions' | 'values'> {
  const places = new Map<number, number>();
  const regions = new Uint16Array(pixels);
  for (let i = 0; i < pixels; i++) {
    const value = valueAt(i);
    let place = places.get(value);
    if (place === undefined) {
      place = places.size;
      if (place === MOST_COLOURS) throw new Error(`it has more than ${MOST_COLOURS} colours`);
      places.set(value, place);
    }
    regions[i] = place;
  }
  return { regions, values: [...places.keys()] };
}
