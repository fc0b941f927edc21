/** One image as the encoders take it. */
import type { PreparedImage, RgbImage, TileGrid } from '../../types.js';
import { chooseTileGrid, countTiles, tileImage, type TileOptions } from './image-tiles.js';
import { clipTransform, resizeLongestSide, samTransform, squashTransform } from './image-transforms.js';

/** Input of an encoder as plain data: how a picture becomes a square [side, side, 3]. */
export interface EncoderInput {
  /**
   * 'crop': shortest side resized, centre cropped (CLIP); 'pad': longest side resized, zero-padded (SAM); 'squash': both
   * sides resized (InternViT).
   */
  readonly transform: 'crop' | 'pad' | 'squash';
  /** Pixels. */
  readonly side: number;
  /** Features that a conversation without masks can do without: 'masks'. */
  readonly neededFor: 'text' | 'masks';
  /** Tiles at most: the picture becomes [tiles, side, side, 3]. With 'squash' alone. */
  readonly mostTiles?: number;
  /** Whether the whole picture follows several tiles as one more. */
  readonly thumbnail?: boolean;
}

/** Inputs of a system's encoders by name. */
export type Pictures = Readonly<Record<string, EncoderInput>>;

const TRANSFORMS = { crop: clipTransform, pad: samTransform, squash: squashTransform } as const;

/** @param which encoders get an input; default all of them */
export function prepareImage(
  image: RgbImage,
  pictures: Pictures,
  which: ReadonlySet<string> = allEncoders(pictures),
): PreparedImage {
  const { height, width } = image;
  const wanted = Object.entries(pictures).filter(([name]) => which.has(name));
  const padded = Object.values(pictures).find(({ transform }) => transform === 'pad');
  const grid = gridOf(image, pictures);
  return {
    inputs: Object.fromEntries(wanted.map(([name, picture]) => [name, inputFor(image, picture)])),
    resized: padded === undefined ? [height, width] : resizeLongestSide(height, width, padded.side),
    original: [height, width],
    ...(grid === null ? {} : { grid }),
  };
}

/** Options of an encoder that takes tiles; null for one that takes the picture as one square. */
export function tilesOf({ transform, side, mostTiles, thumbnail = false }: EncoderInput): TileOptions | null {
  if (mostTiles === undefined) return null;
  if (transform !== 'squash') throw new Error(`tilesOf: pictures are cut into tiles by "squash", not "${transform}"`);
  return { mostTiles, side, thumbnail };
}

/** Tiles of a picture by its size; null where no encoder takes tiles. */
export function gridOf({ height, width }: Pick<RgbImage, 'height' | 'width'>, pictures: Pictures): TileGrid | null {
  const [tiles] = Object.values(pictures).flatMap((picture) => tilesOf(picture) ?? []);
  return tiles === undefined ? null : chooseTileGrid(width, height, tiles.mostTiles, tiles.side);
}

/** Squares at most that an encoder sees of a picture, the thumbnail included. */
export function mostSquares(pictures: Pictures): number {
  const counts = Object.values(pictures).map(({ mostTiles = 1, thumbnail }) => {
    return countTiles({ columns: mostTiles, rows: 1 }, thumbnail);
  });
  return Math.max(...counts);
}

function inputFor(image: RgbImage, picture: EncoderInput): Float32Array {
  const tiles = tilesOf(picture);
  return tiles === null ? TRANSFORMS[picture.transform](image, picture.side).data : tileImage(image, tiles).data;
}

export function allEncoders(pictures: Pictures): ReadonlySet<string> {
  return new Set(Object.keys(pictures));
}

/** Encoders whose features a conversation in words needs. */
export function textEncoders(pictures: Pictures): ReadonlySet<string> {
  return new Set(Object.keys(pictures).filter((name) => pictures[name]?.neededFor === 'text'));
}
