/** Windows of a grid of tokens, and relative positions on it (segment_anything/modeling/image_encoder.py). */
import * as tf from '../../engine/tf.js';

/** x [B, H, W, D] → [B·windows, s, s, D], zero-padded right and below to a multiple of the window side s. */
export function partitionWindows(x: tf.Tensor, side: number): tf.Tensor4D {
  const [batch, height, width, size] = x.shape as [number, number, number, number];
  const rows = Math.ceil(height / side);
  const columns = Math.ceil(width / side);
  const padded = pad(x, rows * side - height, columns * side - width);
  // [B, rows·s, columns·s, D] → [B·rows, s, columns, s·D] → [B·rows, columns, s, s·D] → [B·rows·columns, s, s, D]
  const strips = tf.transpose(tf.reshape(padded, [batch * rows, side, columns, side * size]), [0, 2, 1, 3]);
  return tf.reshape(strips, [batch * rows * columns, side, side, size]);
}

/** The inverse of `partitionWindows` for a grid of shape [B, H, W, D]; the padding is dropped. */
export function unpartitionWindows(windows: tf.Tensor, side: number, shape: readonly number[]): tf.Tensor4D {
  const [batch, height, width, size] = shape as [number, number, number, number];
  const rows = Math.ceil(height / side);
  const columns = Math.ceil(width / side);
  const strips = tf.transpose(tf.reshape(windows, [batch * rows, columns, side, side * size]), [0, 2, 1, 3]);
  const padded: tf.Tensor4D = tf.reshape(strips, [batch, rows * side, columns * side, size]);
  if (rows * side === height && columns * side === width) return padded;
  return tf.slice(padded, [0, 0, 0, 0], [batch, height, width, size]);
}

/**
 * Scores of all pairs of positions on one axis by their distance: out[…, i, j] = q[…, i]·table[i - j + S - 1]. One
 * product of all queries with the whole table; row i is then read from S - 1 - i on. Since every row begins one further
 * to the left, that is reading with rows that are one shorter.
 * @param q [a, b, S, d]
 * @param table [2·S - 1, d]
 * @returns [a, b, S, S]
 */
export function relativeScores(q: tf.Tensor4D, table: tf.Tensor): tf.Tensor4D {
  const [a, b, side, size] = q.shape;
  const width = 2 * side - 1;
  const all = tf.matMul(tf.reshape(q, [a * b * side, size]), tf.reverse(table, 0), false, true);
  if (side === 1) return tf.reshape(all, [a, b, 1, 1]);
  const shifted = tf.slice(tf.reshape(all, [a * b, side * width]), [0, side - 1], [-1, side * (width - 1)]);
  const scores = tf.slice(tf.reshape(shifted, [a * b, side, width - 1]), [0, 0, 0], [-1, -1, side]);
  return tf.reshape(scores, [a, b, side, side]);
}

/** Place of every key on every grid: a 1 at its row and a 1 at its column, [grids, H·W, H + W]. */
export function keyPlaces(grids: number, height: number, width: number): tf.Tensor3D {
  const tokens = height * width;
  const sides = height + width;
  const places = new Float32Array(grids * tokens * sides);
  for (let key = 0; key < tokens; key++) {
    places[key * sides + Math.floor(key / width)] = 1;
    places[key * sides + height + (key % width)] = 1;
  }
  for (let grid = 1; grid < grids; grid++) places.copyWithin(grid * tokens * sides, 0, tokens * sides);
  return tf.tensor3d(places, [grids, tokens, sides]);
}

function pad(x: tf.Tensor, below: number, right: number): tf.Tensor {
  if (below === 0 && right === 0) return x;
  return tf.pad(x, [
    [0, 0],
    [0, below],
    [0, right],
    [0, 0],
  ]);
}
