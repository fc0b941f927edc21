/**
 * BMP files: 1, 4, 8, 16, 24 and 32 bits per pixel, run lengths of 4 and 8 bits, rows from below or from above, headers
 * of OS/2 and of Windows 3 to 5. Fourth bytes of 32-bit pixels are dropped, as alpha is elsewhere.
 */
import type { RgbImage } from '../../types.js';
import { type ImageBytes, type ImageFailure, checkPixels } from './image-source.js';

const FILE_HEADER = 14;
const CORE_HEADER = 12;
const PLAIN_HEADER = 40;
const LARGEST_HEADER = 4096;
const COMPRESSION = { none: 0, runs8: 1, runs4: 2, masks: 3 } as const;
/** Red, green and blue of 16-bit pixels: five bits each, or six of green. */
const MASKS_555 = [0x7c00, 0x3e0, 0x1f] as const;
const MASKS_565 = [0xf800, 0x7e0, 0x1f] as const;
/** Masks of 32-bit pixels: the bytes are blue, green, red and an unused one. */
const MASKS_888 = [0xff0000, 0xff00, 0xff] as const;

export interface BmpHeader {
  readonly width: number;
  readonly height: number;
  readonly bits: 1 | 4 | 8 | 16 | 24 | 32;
  readonly isFromAbove: boolean;
  /** Bits of a run-length encoded number per pixel; 0 for plain pixels. */
  readonly runBits: 0 | 4 | 8;
  /** 16-bit pixels have six bits of green. */
  readonly hasLongGreen: boolean;
  /** Red, green, blue per number, 256 colours; null from 16 bits on. */
  readonly palette: Uint8Array | null;
  readonly offset: number;
}

/** @throws UserError by `fail`: cut off, too large, or of a kind that is not read */
export function readBmpHeader(bytes: ImageBytes, fail: ImageFailure): BmpHeader {
  const start = bytes.at(0, FILE_HEADER + 4);
  if (start.length < FILE_HEADER + 4) return fail('it is damaged or cut off (a BMP file ends within its header).');
  const offset = start.readUInt32LE(10);
  const headerBytes = start.readUInt32LE(FILE_HEADER);
  const isCore = headerBytes === CORE_HEADER;
  if (!isCore && (headerBytes < PLAIN_HEADER || headerBytes > LARGEST_HEADER)) {
    return fail(`it is a BMP file with a header of ${headerBytes} bytes, which is not supported; convert it to PNG.`);
  }
  const header = bytes.at(FILE_HEADER, headerBytes);
  if (header.length < headerBytes) return fail('it is damaged or cut off (a BMP file ends within its header).');
  const width = isCore ? header.readUInt16LE(4) : header.readInt32LE(4);
  const signed = isCore ? header.readUInt16LE(6) : header.readInt32LE(8);
  const height = Math.abs(signed);
  const bits = header.readUInt16LE(isCore ? 10 : 14);
  const compression = isCore ? COMPRESSION.none : header.readUInt32LE(16);
  if (width <= 0 || height === 0) return fail(`it is damaged (a BMP file of ${width} x ${signed} pixels).`);
  checkPixels(width, height, fail);
  const unknown = (what: string): never =>
    fail(`it is a BMP file of ${bits} bits per pixel ${what}, which is not supported; convert it to PNG.`);
  if (![1, 4, 8, 16, 24, 32].includes(bits)) return unknown('');
  const runBits = compression === COMPRESSION.runs8 ? 8 : compression === COMPRESSION.runs4 ? 4 : 0;
  if (runBits !== 0 && runBits !== bits) return unknown(`with runs of ${runBits} bits`);
  if (compression > COMPRESSION.masks) return unknown(`with compression ${compression}`);
  const masks = compression === COMPRESSION.masks ? masksOf(bytes) : null;
  if (masks !== null && bits !== 16 && bits !== 32) return unknown('with colour masks');
  const known = bits === 32 ? [MASKS_888] : [MASKS_555, MASKS_565];
  if (masks !== null && !known.some((one) => one.every((mask, i) => mask === masks[i]))) {
    return unknown(`with the colour masks ${masks.map((mask) => mask.toString(16)).join(', ')}`);
  }
  return {
    width,
    height,
    bits: bits as BmpHeader['bits'],
    isFromAbove: signed < 0,
    runBits,
    hasLongGreen: masks?.[1] === MASKS_565[1],
    palette: bits > 8 ? null : paletteOf(bytes, header, bits, fail),
    offset,
  };
}

/** @throws UserError by `fail`: cut off or damaged */
export function decodeBmp(file: Buffer, header: BmpHeader, fail: ImageFailure): RgbImage {
  const { width, height, bits, runBits, offset } = header;
  const rowBytes = Math.ceil((width * bits) / 32) * 4;
  if (runBits === 0 && offset + rowBytes * height > file.length) {
    return fail(`it is damaged or cut off (${offset + rowBytes * height} bytes are needed, ${file.length} are there).`);
  }
  const pixels = file.subarray(offset);
  const runs = runBits === 0 ? null : bmpIndices(pixels, width, height, runBits);
  if (typeof runs === 'string') return fail(`it is damaged or cut off (${runs}).`);
  const rgb = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    const to = 3 * width * (header.isFromAbove ? row : height - 1 - row);
    const target = rgb.subarray(to, to + 3 * width);
    if (runs !== null) writeNumbers(runs.subarray(row * width, (row + 1) * width), 8, header.palette, target);
    else writeRow(pixels.subarray(row * rowBytes, (row + 1) * rowBytes), header, target);
  }
  return { data: rgb, height, width };
}

/** Red, green and blue, after the plain header or at the same place within a longer one. */
function masksOf(bytes: ImageBytes): number[] {
  const block = bytes.at(FILE_HEADER + PLAIN_HEADER, 12);
  return block.length < 12 ? [] : [block.readUInt32LE(0), block.readUInt32LE(4), block.readUInt32LE(8)];
}

function paletteOf(bytes: ImageBytes, header: Buffer, bits: number, fail: ImageFailure): Uint8Array {
  const isCore = header.length === CORE_HEADER;
  const used = isCore ? 0 : header.readUInt32LE(32);
  if (used > 256) return fail(`it is damaged (a BMP file of ${bits} bits per pixel with ${used} colours).`);
  const entryBytes = isCore ? 3 : 4;
  const colours = used === 0 ? 1 << bits : used;
  const stored = bytes.at(FILE_HEADER + header.length, colours * entryBytes);
  if (stored.length < colours * entryBytes)
    return fail('it is damaged or cut off (a BMP file ends within its colours).');
  // Numbers without a colour are black.
  const palette = new Uint8Array(256 * 3);
  for (let i = 0; i < colours; i++) {
    for (let c = 0; c < 3; c++) palette[3 * i + c] = stored[entryBytes * i + 2 - c] as number;
  }
  return palette;
}

function writeRow(row: Buffer, { bits, palette, hasLongGreen }: BmpHeader, target: Uint8Array): void {
  if (bits <= 8) {
    writeNumbers(row, bits, palette, target);
    return;
  }
  const width = target.length / 3;
  for (let x = 0; x < width; x++) {
    if (bits === 16) {
      const value = row.readUInt16LE(2 * x);
      // The lower bits stay 0, as OpenCV leaves them: white is 248.
      target[3 * x] = hasLongGreen ? (value >> 8) & 0xf8 : (value >> 7) & 0xf8;
      target[3 * x + 1] = hasLongGreen ? (value >> 3) & 0xfc : (value >> 2) & 0xf8;
      target[3 * x + 2] = (value << 3) & 0xf8;
    } else {
      const from = (bits / 8) * x;
      for (let c = 0; c < 3; c++) target[3 * x + c] = row[from + 2 - c] as number;
    }
  }
}

/** @param bits per number, the upper ones of a byte first */
function writeNumbers(row: Uint8Array, bits: number, palette: Uint8Array | null, target: Uint8Array): void {
  if (palette === null) throw new Error('writeNumbers: a BMP of numbers without colours');
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  const width = target.length / 3;
  for (let x = 0; x < width; x++) {
    const byte = row[Math.floor(x / perByte)] as number;
    const number = (byte >> (8 - bits * ((x % perByte) + 1))) & mask;
    for (let c = 0; c < 3; c++) target[3 * x + c] = palette[3 * number + c] as number;
  }
}

const END_OF_LINE = 0;
const END_OF_BITMAP = 1;
const DELTA = 2;

/**
 * Numbers of the palette, in the order of the file's rows; 0 where nothing is written.
 * @param bits 4 or 8, per number
 * @returns a sentence where the runs are damaged: one goes beyond its line, or they end before the last line
 */
export function bmpIndices(runs: Uint8Array, width: number, height: number, bits: 4 | 8): Uint8Array | string {
  const numbers = new Uint8Array(width * height);
  let [x, y, at] = [0, 0, 0];
  for (;;) {
    const [count, value] = [runs[at], runs[at + 1]];
    if (count === undefined || value === undefined) {
      const isWhole = y === height || (y === height - 1 && x === width);
      return isWhole ? numbers : `its runs end in line ${y + 1} of ${height}`;
    }
    at += 2;
    if (count === 0 && value === END_OF_BITMAP) return numbers;
    if (count === 0 && value === END_OF_LINE) {
      [x, y] = [0, Math.min(y + 1, height)];
    } else if (count === 0 && value === DELTA) {
      x += runs[at] ?? 0;
      y += runs[at + 1] ?? 0;
      at += 2;
      if (x > width || y > height) return `a jump leads to column ${x + 1}, line ${y + 1} of ${width} x ${height}`;
    } else {
      // Some writers leave out the end of a full line.
      if (x === width) [x, y] = [0, y + 1];
      if (y >= height) return `a run begins below line ${height}`;
      const length = count === 0 ? value : count;
      if (x + length > width) return `a run of line ${y + 1} ends in column ${x + length} of ${width}`;
      const to = y * width + x;
      if (count === 0) {
        const stored = bits === 8 ? length : Math.ceil(length / 2);
        if (at + stored > runs.length) return `its runs end in line ${y + 1} of ${height}`;
        for (let i = 0; i < length; i++) {
          numbers[to + i] = bits === 8 ? (runs[at + i] as number) : nibble(runs[at + (i >> 1)] as number, i);
        }
        at += stored + (stored % 2);
      } else {
        for (let i = 0; i < length; i++) numbers[to + i] = bits === 8 ? value : nibble(value, i);
      }
      x += length;
    }
  }
}

/** The upper half of a byte for even places, the lower for odd ones. */
function nibble(byte: number, place: number): number {
  return place % 2 === 0 ? byte >> 4 : byte & 15;
}
