/** Cutting a grid of tokens into windows and back (segment_anything/modeling/image_encoder.py). */
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

/** Row of the relative-position table for every pair (query, key) along one axis: q - k + side - 1, int32 [side²]. */
export function relativePositionIndex(side: number): tf.Tensor1D {
  const index = Int32Array.from({ length: side * side }, (_, i) => Math.floor(i / side) - (i % side) + side - 1);
  return tf.tensor1d(index, 'int32');
}

/** Where every key stands: a 1 at its row and a 1 at its column, [H·W, H + W]. */
export function keyPlaces(height: number, width: number): Float32Array {
  const places = new Float32Array(height * width * (height + width));
  for (let key = 0; key < height * width; key++) {
    places[key * (height + width) + Math.floor(key / width)] = 1;
    places[key * (height + width) + height + (key % width)] = 1;
  }
  return places;
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
