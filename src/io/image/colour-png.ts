/** Regions of each colour in any kind of PNG: its colours stand for something. */
import { PNG } from 'pngjs';
import { UserError, messageOf } from '../../errors.js';
import { decodeIndexPng, GREY, PALETTE, pngChunk, readPngFile } from './index-png.js';

/** Red, green and blue as one number, 0xRRGGBB. */
export type Colour = number;

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
