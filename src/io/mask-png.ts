/**
 * Masks as painting tools write them: a PNG in which everything that is not black is inside. In a palette PNG the
 * numbers count, not the colours: 0 is outside. What is fully transparent is outside.
 */
import { existsSync, readFileSync } from 'node:fs';
import { PNG } from 'pngjs';
import { UserError, messageOf } from '../errors.js';
import type { BinaryMask } from '../types.js';
import { decodeIndexPng } from './index-png.js';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const MOST_PIXELS = 100_000_000;
const GREY = 0;
const PALETTE = 3;

/**
 * Reads a mask of any kind of PNG.
 * @throws UserError that names the file: missing, not a PNG, damaged, too large
 */
export function readMaskPng(path: string): BinaryMask {
  if (!existsSync(path)) throw new UserError(`Cannot read ${path} as a mask: there is no such file; check the path.`);
  try {
    return decodeMaskPng(readFileSync(path));
  } catch (error) {
    throw new UserError(`Cannot read ${path} as a mask: ${messageOf(error)}.`);
  }
}

/** The mask of a PNG in memory. @throws Error, without a file's name, as `readMaskPng` */
export function decodeMaskPng(file: Buffer): BinaryMask {
  if (file.length < 33 || !file.subarray(0, 8).equals(SIGNATURE) || file.toString('latin1', 12, 16) !== 'IHDR') {
    throw new Error('it is not a PNG file');
  }
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)];
  const [depth, colour] = [file[24] as number, file[25] as number];
  if (width * height > MOST_PIXELS) throw new Error(`${width} x ${height} pixels are too many`);
  if (depth <= 8 && (colour === GREY || colour === PALETTE)) {
    const labels = decodeIndexPng(file);
    return { data: labels.data.map((label) => (label === 0 ? 0 : 1)), height, width };
  }
  try {
    // Unscaled: a 16-bit value below 256 would become 0.
    const { data } = PNG.sync.read(file, { skipRescale: true });
    return { data: insideOf(data, width * height), height, width };
  } catch (error) {
    throw new Error(`it is damaged (${messageOf(error)})`, { cause: error });
  }
}

/** @param rgba four numbers a pixel */
function insideOf(rgba: ArrayLike<number>, pixels: number): Uint8Array {
  const inside = new Uint8Array(pixels);
  for (let i = 0; i < pixels; i++) {
    const isBlack = rgba[4 * i] === 0 && rgba[4 * i + 1] === 0 && rgba[4 * i + 2] === 0;
    inside[i] = isBlack || rgba[4 * i + 3] === 0 ? 0 : 1;
  }
  return inside;
}
