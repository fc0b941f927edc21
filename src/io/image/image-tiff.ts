/**
 * Tags of a TIFF's first page that decide how its numbers become colours. Refused are files that do not define black
 * and white, and those that the decoder gets wrong.
 */
import { type ImageBytes, type ImageFailure, numberReaders } from './image-source.js';

const MOST_ENTRIES = 4096;
const TAG = {
  bits: 258,
  compression: 259,
  photometric: 262,
  stripOffsets: 273,
  orientation: 274,
  samples: 277,
  stripBytes: 279,
  tileOffsets: 324,
  tileBytes: 325,
  planes: 284,
  extraSamples: 338,
  sampleFormat: 339,
} as const;
/** Values of an entry that are read: a picture of 100 million pixels has fewer strips. */
const MOST_VALUES = 1 << 20;
/** Bytes of one value by the type of an entry: BYTE, SHORT, LONG and LONG8. */
const VALUE_BYTES: Readonly<Record<number, 1 | 2 | 4 | 8>> = { 1: 1, 3: 2, 4: 4, 16: 8 };
/** None, fax, LZW, JPEG, Deflate, PackBits. The decoder silently makes tiles of any other black. */
const COMPRESSIONS: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946]);

const [WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR] = [0, 1, 2, 3, 5, 6];
const JPEG_COMPRESSIONS: readonly number[] = [6, 7];
const [UNSIGNED, SIGNED] = [1, 2];

export interface TiffTraits {
  /** Conversion of samples to 8-bit RGB. */
  readonly kind: 'grey' | 'rgb' | 'rgb-alpha' | 'cmyk' | 'palette' | 'jpeg';
  /** 1 to 8. */
  readonly orientation: number;
  /** Bytes to change for the decoder, which would else interpret signed numbers, or alpha. */
  readonly changes: readonly { readonly at: number; readonly value: number }[];
}

interface Entry {
  readonly values: readonly number[];
  /** Offset of the first value's low byte, and the distance between values. */
  readonly place: number;
  readonly size: number;
}

/** @returns null without a directory: the decoder reports it @throws UserError by `fail` for forms that are not read */
export function tiffTraits(bytes: ImageBytes, fail: ImageFailure): TiffTraits | null {
  const entries = directoryOf(bytes);
  if (entries === null) return null;
  const one = (tag: number, fallback: number): number => entries.get(tag)?.values[0] ?? fallback;
  const samples = one(TAG.samples, 1);
  const bits = one(TAG.bits, 1);
  const format = one(TAG.sampleFormat, UNSIGNED);
  const photometric = one(TAG.photometric, 1);
  const stored = one(TAG.orientation, 1);
  const traits = {
    orientation: stored >= 1 && stored <= 8 ? stored : 1,
    changes: [...changed(entries.get(TAG.sampleFormat), UNSIGNED), ...changed(entries.get(TAG.extraSamples), 0)],
  };
  const convert = 'convert it to an 8-bit RGB TIFF, a JPEG or a PNG.';
  if ((format !== UNSIGNED && format !== SIGNED && format !== 4) || bits > 16) {
    return fail(
      `it is a TIFF of ${bits}-bit ${format === 3 ? 'floating-point ' : ''}samples, of which no rule says what is white; ${convert}`,
    );
  }
  const compression = one(TAG.compression, 1);
  if (!COMPRESSIONS.has(compression)) return fail(`it is a TIFF compressed by method ${compression}; ${convert}`);
  const end = endOf(entries);
  if (end > bytes.size) return fail(`it is damaged or cut off (${end} bytes are needed, ${bytes.size} are there).`);
  if (![1, 2, 4, 8, 16].includes(bits)) return fail(`it is a TIFF of ${bits}-bit samples; ${convert}`);
  const alpha = entries.get(TAG.extraSamples)?.values ?? [];
  // Of several samples next to each other the first is taken; in planes of their own the decoder mixes them up.
  const isInPlanes = one(TAG.planes, 1) === 2 && samples > 1;
  if ((photometric === WHITE_IS_ZERO || photometric === BLACK_IS_ZERO) && samples <= 4 && !isInPlanes)
    return { kind: 'grey', ...traits };
  if (photometric === PALETTE) return { kind: 'palette', ...traits };
  if (photometric === RGB && samples === 3) return { kind: 'rgb', ...traits };
  if (photometric === RGB && samples === 4) return { kind: alpha[0] === 2 ? 'rgb-alpha' : 'rgb', ...traits };
  if (photometric === CMYK && samples === 4 && bits === 8) return { kind: 'cmyk', ...traits };
  if (photometric === YCBCR && JPEG_COMPRESSIONS.includes(compression)) return { kind: 'jpeg', ...traits };
  const space = COLOUR_SPACES[photometric] ?? `colour space ${photometric}`;
  return fail(`it is a TIFF of ${space}, ${samples} samples of ${bits} bits per pixel; ${convert}`);
}

/** The file with the changes for the decoder. */
export function patchedTiff(bytes: Buffer, changes: TiffTraits['changes']): Buffer {
  const patched = Buffer.from(bytes);
  for (const { at, value } of changes) patched[at] = value;
  return patched;
}

function changed(entry: Entry | undefined, value: number): { at: number; value: number }[] {
  if (entry === undefined) return [];
  return entry.values.flatMap((found, i) => (found === value ? [] : [{ at: entry.place + i * entry.size, value }]));
}

/** End of the last strip or tile: the decoder leaves a missing tile black. */
function endOf(entries: ReadonlyMap<number, Entry>): number {
  let end = 0;
  for (const [offsets, lengths] of [
    [TAG.stripOffsets, TAG.stripBytes],
    [TAG.tileOffsets, TAG.tileBytes],
  ] as const) {
    const sizes = entries.get(lengths)?.values ?? [];
    // Without lengths, or with an empty part, there is nothing to compare.
    for (const [i, offset] of (entries.get(offsets)?.values ?? []).entries()) {
      if ((sizes[i] ?? 0) > 0) end = Math.max(end, offset + (sizes[i] as number));
    }
  }
  return end;
}

const COLOUR_SPACES: Readonly<Record<number, string>> = {
  0: 'grey',
  1: 'grey',
  2: 'RGB',
  5: 'CMYK',
  6: 'uncompressed YCbCr',
  8: 'CIE Lab',
};

/** The relevant entries of a classic TIFF or a BigTIFF. */
function directoryOf(bytes: ImageBytes): ReadonlyMap<number, Entry> | null {
  const head = bytes.at(0, 16);
  if (head.length < 16) return null;
  const isLittle = head[0] === 0x49;
  const { u16, u32, u64 } = numberReaders(isLittle);
  const readers = { 1: (buffer: Buffer, at: number): number => buffer.readUInt8(at), 2: u16, 4: u32, 8: u64 };
  const isBig = u16(head, 2) === 43;
  const start = isBig ? u64(head, 8) : u32(head, 4);
  const [countBytes, entryBytes, valueBytes] = isBig ? [8, 20, 8] : [2, 12, 4];
  const counted = bytes.at(start, countBytes);
  if (counted.length < countBytes) return null;
  const count = Math.min(isBig ? u64(counted, 0) : u16(counted, 0), MOST_ENTRIES);
  const table = bytes.at(start + countBytes, count * entryBytes);
  const wanted = new Set<number>(Object.values(TAG));
  const entries = new Map<number, Entry>();
  for (let at = 0; at + entryBytes <= table.length; at += entryBytes) {
    const tag = u16(table, at);
    const size = VALUE_BYTES[u16(table, at + 2)];
    if (size === undefined || !wanted.has(tag) || entries.has(tag)) continue;
    const number = Math.min(isBig ? u64(table, at + 4) : u32(table, at + 4), MOST_VALUES);
    const inline = at + entryBytes - valueBytes;
    const isInline = number * size <= valueBytes;
    const from = isInline ? start + countBytes + inline : isBig ? u64(table, inline) : u32(table, inline);
    const block = bytes.at(from, number * size);
    const values: number[] = [];
    for (let i = 0; i + size <= block.length; i += size) values.push(readers[size](block, i));
    entries.set(tag, { values, place: isLittle ? from : from + size - 1, size });
  }
  return entries;
}
