/**
 * Dynamic tiles of InternVL (`dynamic_preprocess`): the picture is resized to a grid of squares that is close to its own
 * shape and cut into them, row by row; a small picture of the whole may follow.
 */
import type { RgbImage, TileGrid } from '../../types.js';
import { cropSquare, normalisedImagenet, resizeSquashed } from './image-transforms.js';
import { resizePillow } from './pillow-resample.js';

export interface TileOptions {
  /** Tiles at most, at least 1; the thumbnail is not counted. */
  readonly mostTiles: number;
  /** Pixels of a tile. */
  readonly side: number;
  /** Whether the whole picture follows as one more tile, where there is more than one. */
  readonly thumbnail?: boolean;
}

/**
 * Grid of at most `mostTiles` tiles whose columns / rows is nearest to width / height. Of grids that are equally near
 * the one with more tiles counts if the picture has more than half of its pixels.
 * @param width of the picture in pixels @param side pixels of a tile
 */
export function chooseTileGrid(width: number, height: number, mostTiles: number, side: number): TileGrid {
  for (const size of [width, height, mostTiles, side]) {
    if (!Number.isInteger(size) || size < 1) {
      throw new Error(`chooseTileGrid: cannot cut ${width} x ${height} into at most ${mostTiles} tiles of ${side}`);
    }
  }
  const shape = width / height;
  let chosen: TileGrid = { columns: 1, rows: 1 };
  let least = Infinity;
  for (const grid of gridsUpTo(mostTiles)) {
    const difference = Math.abs(shape - grid.columns / grid.rows);
    const isLarge = width * height > 0.5 * side * side * grid.columns * grid.rows;
    if (difference < least || (difference === least && isLarge)) chosen = grid;
    least = Math.min(least, difference);
  }
  return chosen;
}

/** All grids of at most `most` tiles, those with fewer tiles first. */
function gridsUpTo(most: number): TileGrid[] {
  const grids: TileGrid[] = [];
  for (let columns = 1; columns <= most; columns++) {
    for (let rows = 1; columns * rows <= most; rows++) grids.push({ columns, rows });
  }
  return grids.sort((a, b) => a.columns * a.rows - b.columns * b.rows);
}

/** Tiles that an encoder gets for a grid, the thumbnail included. */
export function countTiles({ columns, rows }: TileGrid, thumbnail = false): number {
  return columns * rows + (thumbnail && columns * rows > 1 ? 1 : 0);
}

/** Tiles of a picture in grey levels, row by row, then the thumbnail where there is one: each [side, side, 3]. */
export function cutTiles(
  image: RgbImage,
  { mostTiles, side, thumbnail = false }: TileOptions,
): { readonly grid: TileGrid; readonly tiles: readonly RgbImage[] } {
  const grid = chooseTileGrid(image.width, image.height, mostTiles, side);
  const { columns, rows } = grid;
  const whole = resizePillow(image, rows * side, columns * side, 'bicubic');
  const tiles = Array.from({ length: columns * rows }, (_, tile) => {
    return cropSquare(whole, Math.floor(tile / columns) * side, (tile % columns) * side, side);
  });
  if (countTiles(grid, thumbnail) > tiles.length) tiles.push(resizeSquashed(image, side));
  return { grid, tiles };
}

/** Input of InternViT: `data` [tiles, side, side, 3], normalised by ImageNet's mean and deviation. */
export function tileImage(
  image: RgbImage,
  options: TileOptions,
): { readonly grid: TileGrid; readonly data: Float32Array } {
  const { grid, tiles } = cutTiles(image, options);
  const size = options.side * options.side * 3;
  const data = new Float32Array(tiles.length * size);
  for (const [index, tile] of tiles.entries()) data.set(normalisedImagenet(tile), index * size);
  return { grid, data };
}
