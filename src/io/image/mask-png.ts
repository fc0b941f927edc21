/**
 * Masks as painting tools write them: every pixel of the PNG that is neither black nor fully transparent is inside. In
 * a palette PNG whose number 0 is black the numbers decide (0 is outside, as in a label map), otherwise the colours:
 * programs that shrink PNGs renumber the colours, often from white.
 */
import { existsSync } from 'node:fs';
import { UserError, messageOf } from '../../errors.js';
import type { BinaryMask } from '../../types.js';
import {
  decodeIndexPng,
  decodePng,
  indexPngFault,
  PALETTE,
  type PngFile,
  pngChunk,
  pngFile,
  readPngFile,
} from './index-png.js';

/** @throws UserError that names the file: missing, not a PNG, damaged, too large, or black on a transparent ground */
export function readMaskPng(path: string): BinaryMask {
  if (!existsSync(path)) throw new UserError(`Cannot read ${path} as a mask: there is no such file; check the path.`);
  try {
    return maskOf(readPngFile(path));
  } catch (error) {
    throw new UserError(`Cannot read ${path} as a mask: ${messageOf(error)}.`);
  }
}

/** The mask of a PNG in memory. @throws Error, without a file's name, as `readMaskPng` */
export function decodeMaskPng(bytes: Buffer): BinaryMask {
  return maskOf(pngFile(bytes));
}

function maskOf(file: PngFile): BinaryMask {
  const { width, height } = file;
  const data = indexPngFault(file) === null ? numberedPixels(file) : colouredPixels(file);
  if (data !== null) return { data, height, width };
  throw new Error(
    'everything that is not transparent is black, and black is outside; save what is inside in white, the rest in black',
  );
}

/**
 * Grey levels and palette numbers: each number is inside or outside, so pixels are looked up.
 * @returns 1 inside, 0 outside; null for black on a transparent ground
 */
function numberedPixels(file: PngFile): Uint8Array | null {
  const labels = decodeIndexPng(file);
  const transparency = pngChunk(file, 'tRNS');
  const palette = file.colour === PALETTE ? pngChunk(file, 'PLTE') : null;
  const colourOf = (number: number): readonly number[] => [...(palette?.subarray(3 * number, 3 * number + 3) ?? [])];
  const isBlack = (number: number): boolean => colourOf(number).every((sample) => sample === 0);
  const isTransparent = (number: number): boolean => {
    if (transparency === null) return false;
    if (file.colour === PALETTE) return transparency[number] === 0;
    return transparency.length >= 2 && transparency.readUInt16BE(0) === number;
  };
  const byColour = palette !== null && !isBlack(0);
  const isOutside = Uint8Array.from({ length: 256 }, (_, number) => {
    return isTransparent(number) || (byColour ? isBlack(number) : number === 0) ? 1 : 0;
  });
  const inside = labels.data.map((label) => 1 - (isOutside[label] as number));
  if (inside.includes(1)) return inside;
  const transparent = new Set([...new Set(labels.data)].map(isTransparent));
  return transparent.size === 2 ? null : inside;
}

/** As `numberedPixels`. */
function colouredPixels({ bytes, width, height }: PngFile): Uint8Array | null {
  const rgba = decodePng(bytes);
  const inside = new Uint8Array(width * height);
  let [visible, painted] = [0, 0];
  for (let i = 0; i < inside.length; i++) {
    if (rgba[4 * i + 3] === 0) continue;
    visible++;
    if (rgba[4 * i] === 0 && rgba[4 * i + 1] === 0 && rgba[4 * i + 2] === 0) continue;
    painted++;
    inside[i] = 1;
  }
  return painted === 0 && visible > 0 && visible < inside.length ? null : inside;
}
