/**
 * The orientation in an EXIF block, found as OpenCV finds it: in the first directory alone, as the two bytes where a
 * SHORT would stand. So a LONG counts in little-endian files and is 0 in big-endian ones, and an entry before it whose
 * value lies outside of the block ends the search.
 */

const ORIENTATION = 0x112;
const ENTRY_BYTES = 12;
/** Texts: description, make, model, software, date, copyright. */
const TEXTS: ReadonlySet<number> = new Set([0x10e, 0x10f, 0x110, 0x131, 0x132, 0x8298]);
/** Tags of fractions, and how many a value has. */
const FRACTIONS: ReadonlyMap<number, number> = new Map([
  [0x11a, 1],
  [0x11b, 1],
  [0x13e, 2],
  [0x13f, 6],
  [0x211, 3],
  [0x214, 6],
]);

/**
 * @param block from its byte order mark on
 * @returns 1 to 8, 1 for a number that says nothing; null where there is none
 */
export function exifOrientation(block: Buffer): number | null {
  const found = searched(block);
  return found === null || (found >= 1 && found <= 8) ? found : 1;
}

/** The block of a segment or chunk that may begin with "Exif\0\0". */
export function withoutExifPrefix(bytes: Buffer): Buffer {
  return hasExifPrefix(bytes) ? bytes.subarray(6) : bytes;
}

export function hasExifPrefix(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 6) === 'Exif\0\0';
}

function searched(block: Buffer): number | null {
  const isLittle = block.toString('latin1', 0, 2) === 'II';
  const has = (at: number, count: number): boolean => at + count <= block.length;
  const u16 = (at: number): number => (isLittle ? block.readUInt16LE(at) : block.readUInt16BE(at));
  const u32 = (at: number): number => (isLittle ? block.readUInt32LE(at) : block.readUInt32BE(at));
  if (!has(0, 8) || u16(2) !== 42) return null;
  const directory = u32(4);
  if (!has(directory, 2)) return null;
  const entries = u16(directory);
  for (let i = 0; i < entries; i++) {
    const at = directory + 2 + i * ENTRY_BYTES;
    if (!has(at, 2)) return null;
    const tag = u16(at);
    if (tag === ORIENTATION) return has(at + 8, 2) ? u16(at + 8) : null;
    const fractions = FRACTIONS.get(tag);
    if (fractions !== undefined && !(has(at + 8, 4) && has(u32(at + 8), fractions * 8))) return null;
    if (TEXTS.has(tag)) {
      if (!has(at + 4, 4)) return null;
      const length = u32(at + 4);
      if (length > 4 && !(has(at + 8, 4) && has(u32(at + 8), length))) return null;
    }
  }
  return null;
}
