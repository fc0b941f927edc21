/** Bicubic resizing of a grid of vectors, as PyTorch's `interpolate(mode='bicubic', align_corners=False)`. */
import * as tf from '../engine/tf.js';

/** PyTorch's coefficient of the cubic convolution. */
const A = -0.75;

/**
 * Interpolation weights along one axis, without antialiasing; beyond the border stands the border's value.
 * @returns [to, from], row-major; each row sums to 1
 */
export function bicubicMatrix(from: number, to: number): Float32Array {
  const matrix = new Float32Array(to * from);
  const scale = from / to;
  for (let i = 0; i < to; i++) {
    const position = scale * (i + 0.5) - 0.5;
    const first = Math.floor(position);
    for (let tap = -1; tap <= 2; tap++) {
      const at = i * from + Math.min(Math.max(first + tap, 0), from - 1);
      matrix[at] = (matrix[at] as number) + cubic(Math.abs(position - first - tap));
    }
  }
  return matrix;
}

/** Weight of a value at a distance in [0, 2]. */
function cubic(distance: number): number {
  if (distance <= 1) return ((A + 2) * distance - (A + 3)) * distance * distance + 1;
  return ((A * distance - 5 * A) * distance + 8 * A) * distance - 4 * A;
}

/** grid [h, w, D] → [height, width, D]; the grid itself where the size is the same. */
export function resizeBicubic(grid: tf.Tensor3D, height: number, width: number): tf.Tensor3D {
  const [h, w, size] = grid.shape;
  if (h === height && w === width) return grid;
  const rows = tf.tensor2d(bicubicMatrix(h, height), [height, h]);
  const columns = tf.tensor2d(bicubicMatrix(w, width), [width, w]);
  const tall: tf.Tensor3D = tf.reshape(tf.matMul(rows, tf.reshape(grid, [h, w * size])), [height, w, size]);
  // [height, w, D] → [w, height·D] → [width, height, D] → [height, width, D]
  const across = tf.matMul(columns, tf.reshape(tf.transpose(tall, [1, 0, 2]), [w, height * size]));
  return tf.transpose(tf.reshape(across, [width, height, size]), [1, 0, 2]);
}
