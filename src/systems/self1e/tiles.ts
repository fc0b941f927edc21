/** Tiles of a picture among others, and put together. */
import * as tf from '../../engine/tf.js';
import type { RowPicture } from '../../networks/multimodal-rows.js';
import type { TileGrid } from '../../types.js';

/** The tiles of a picture, without its thumbnail: x [all tiles, g, g, D] → [tiles, g, g, D]. */
export function tilesOf(x: tf.Tensor4D, { firstTile, grid }: RowPicture): tf.Tensor4D {
  return tf.slice(x, [firstTile, 0, 0, 0], [grid.columns * grid.rows, -1, -1, -1]);
}

/**
 * Tiles put together row by row: x [tiles, g, g, D] → [rows·g, columns·g, D]. The published code changes height and
 * width here where the grid is not square; this does not.
 */
export function joinTiles(x: tf.Tensor4D, { columns, rows }: TileGrid): tf.Tensor3D {
  const [, height, width, size] = x.shape;
  const strips: tf.Tensor4D = tf.reshape(tf.slice(x, 0, columns * rows), [rows, columns, height, width * size]);
  return tf.reshape(tf.transpose(strips, [0, 2, 1, 3]), [rows * height, columns * width, size]);
}
