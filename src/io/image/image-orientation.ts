/** Orientation of JPEG, PNG and WebP files. TIFF has a tag of its own, AVIF an item. */
import { type ImageBytes, numberReaders } from './image-source.js';

/** Bound of a hostile length; no EXIF block of an intact file is longer. */
const MOST_EXIF_BYTES = 1 << 24;
/** Segments or chunks that are examined. A PNG of 100 million pixels has some ten thousand. */
const MOST_PARTS = 100_000;

/** Orientation of a JPEG, 1 to 8: the first that one of its EXIF segments states. */
export function jpegOrientation(bytes: ImageBytes): number {
  let position = 2;
  for (let i = 0; i < MOST_PARTS; i++) {
    const head = bytes.at(position, 4);
    if (head.length < 4 || head[0] !== 0xff) return 1;
    const marker = head[1] as number;
    // Filling bytes before a marker, and markers without a length.
    if (marker === 0xff || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      position += marker === 0xff ? 1 : 2;
      continue;
    }
    // The pixels begin, or the file ends.
    if (marker === 0xda || marker === 0xd9) return 1;
    const length = head.readUInt16BE(2);
    if (marker === 0xe1) {
      const segment = bytes.at(position + 4, length - 2);
      const orientation = hasExifPrefix(segment) ? exifOrientation(segment.subarray(6)) : null;
      if (orientation !== null) return orientation;
    }
    position += 2 + length;
  }
  return 1;
}

/** Orientation of a PNG, 1 to 8: that of its first eXIf chunk, before or after the pixels. */
export function pngOrientation(bytes: ImageBytes): number {
  const blocks = exifChunks(bytes, 8, (head) => [head.readUInt32BE(0), head.toString('latin1', 4) === 'eXIf', 12]);
  for (const block of blocks) {
    // libpng passes over a chunk that does not begin with a byte order mark.
    if (/^(II|MM)$/.test(block.toString('latin1', 0, 2))) return exifOrientation(block) ?? 1;
  }
  return 1;
}

/** Orientation of a WebP, 1 to 8: that of its EXIF chunk, with or without "Exif\0\0" in front. */
export function webpOrientation(bytes: ImageBytes): number {
  const blocks = exifChunks(bytes, 12, (head) => {
    const length = head.readUInt32LE(4);
    return [length, head.toString('latin1', 0, 4) === 'EXIF', 8 + (length % 2)];
  });
  for (const block of blocks) return exifOrientation(withoutExifPrefix(block)) ?? 1;
  return 1;
}

/** @param read of a chunk's first 8 bytes: the length of its data, whether they are EXIF, and its other bytes */
function* exifChunks(
  bytes: ImageBytes,
  start: number,
  read: (head: Buffer) => readonly [length: number, isExif: boolean, others: number],
): Generator<Buffer> {
  let position = start;
  for (let i = 0; i < MOST_PARTS; i++) {
    const head = bytes.at(position, 8);
    if (head.length < 8) return;
    const [length, isExif, others] = read(head);
    if (isExif) yield bytes.at(position + 8, Math.min(length, MOST_EXIF_BYTES));
    position += length + others;
  }
}

const ORIENTATION = 0x112;
const ENTRY_BYTES = 12;
/** Texts: description, make, model, software, date, copyright. */
const TEXTS: ReadonlySet<number> = new Set([0x10e, 0x10f, 0x110, 0x131, 0x132, 0x8298]);
/** Tags of fractions, and their number per value. */
const FRACTIONS: Readonly<Record<number, number>> = { 0x11a: 1, 0x11b: 1, 0x13e: 2, 0x13f: 6, 0x211: 3, 0x214: 6 };

/**
 * Orientation in an EXIF block, found as OpenCV finds it: in the first directory alone, as the two bytes of a SHORT. So
 * a LONG counts in little-endian files and is 0 in big-endian ones, and an earlier entry whose value lies outside of
 * the block ends the search.
 * @param block from its byte order mark on
 * @returns 1 to 8, 1 for an invalid number; null where there is none
 */
export function exifOrientation(block: Buffer): number | null {
  const found = searched(block);
  return found === null || (found >= 1 && found <= 8) ? found : 1;
}

/** The block of a segment or chunk that may begin with "Exif\0\0". */
export function withoutExifPrefix(bytes: Buffer): Buffer {
  return hasExifPrefix(bytes) ? bytes.subarray(6) : bytes;
}

function hasExifPrefix(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 6) === 'Exif\0\0';
}

function searched(block: Buffer): number | null {
  const read = numberReaders(block.toString('latin1', 0, 2) === 'II');
  const has = (at: number, count: number): boolean => at + count <= block.length;
  const u16 = (at: number): number => read.u16(block, at);
  const u32 = (at: number): number => read.u32(block, at);
  if (!has(0, 8) || u16(2) !== 42) return null;
  const directory = u32(4);
  if (!has(directory, 2)) return null;
  const entries = u16(directory);
  for (let i = 0; i < entries; i++) {
    const at = directory + 2 + i * ENTRY_BYTES;
    if (!has(at, 2)) return null;
    const tag = u16(at);
    if (tag === ORIENTATION) return has(at + 8, 2) ? u16(at + 8) : null;
    const fractions = FRACTIONS[tag];
    if (fractions !== undefined && !(has(at + 8, 4) && has(u32(at + 8), fractions * 8))) return null;
    if (TEXTS.has(tag)) {
      if (!has(at + 4, 4)) return null;
      const length = u32(at + 4);
      if (length > 4 && !(has(at + 8, 4) && has(u32(at + 8), length))) return null;
    }
  }
  return null;
}
