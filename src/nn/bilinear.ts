/**
 * Bilinear resizing as matrices, one per axis: resized = rows · image · columnsᵀ. Equals PyTorch's
 * `interpolate(mode='bilinear', align_corners=False)` (no antialiasing). Its composition makes mask post-processing and
 * its gradient two matrix products instead of two resizes and a crop.
 */
import * as tf from '../engine/tf.js';
import type { ImageSize } from '../types.js';

/**
 * Interpolation weights along one axis.
 * @returns [to, from], row-major; each row sums to 1 and has at most two entries other than 0
 */
export function bilinearMatrix(from: number, to: number): Float32Array {
  const matrix = new Float32Array(to * from);
  // PyTorch computes source positions in float32.
  const scale = Math.fround(from / to);
  for (let i = 0; i < to; i++) {
    const position = Math.max(0, Math.fround(Math.fround(scale * (i + 0.5)) - 0.5));
    const lower = Math.min(Math.floor(position), from - 1);
    const upper = Math.min(lower + 1, from - 1);
    const fraction = Math.fround(position - lower);
    matrix[i * from + lower] = 1 - fraction;
    // At the border both are the same pixel: the weights add up.
    matrix[i * from + upper] = (matrix[i * from + upper] as number) + fraction;
  }
  return matrix;
}

/**
 * SAM's `postprocess_masks` along both axes: low-resolution logits → the encoder's input size → crop of the padding →
 * the original size.
 * @param lowRes side of the square low-resolution mask
 * @param inputSize side of the encoder's square input
 * @returns rows [originalHeight, lowRes] and columns [originalWidth, lowRes]
 */
export function maskResizeMatrices(
  lowRes: number,
  inputSize: number,
  { resized, original }: ImageSize,
): { rows: Float32Array; columns: Float32Array } {
  const enlarge = bilinearMatrix(lowRes, inputSize);
  return {
    rows: cropAndResize(enlarge, lowRes, resized[0], original[0]),
    columns: cropAndResize(enlarge, lowRes, resized[1], original[1]),
  };
}

/** bilinear(kept → to) · the first `kept` rows of `enlarge` [inputSize, lowRes] → [to, lowRes] */
function cropAndResize(enlarge: Float32Array, lowRes: number, kept: number, to: number): Float32Array {
  const resize = bilinearMatrix(kept, to);
  const composed = new Float32Array(to * lowRes);
  for (let i = 0; i < to; i++) {
    for (let k = 0; k < kept; k++) {
      const weight = resize[i * kept + k] as number;
      if (weight === 0) continue;
      for (let j = 0; j < lowRes; j++) {
        const at = i * lowRes + j;
        composed[at] = (composed[at] as number) + weight * (enlarge[k * lowRes + j] as number);
      }
    }
  }
  return composed;
}

/**
 * Mask post-processing (SAM's `postprocess_masks`) as two matrix products with an exact gradient.
 * @param lowResMasks [n, s, s] logits
 * @param inputSize side of F_V2's square input
 * @returns [n, H, W] logits
 */
export function resizeMasks(lowResMasks: tf.Tensor3D, size: ImageSize, inputSize: number): tf.Tensor3D {
  const [count, side] = lowResMasks.shape;
  const [height, width] = size.original;
  const { rows, columns } = maskResizeMatrices(side, inputSize, size);
  // columns: [n·s, s] · [s, W] → [n, s, W]; rows: [1, H, s] · [n, s, W] → [n, H, W]
  const allRows = tf.reshape(lowResMasks, [count * side, side]);
  const wide = tf.matMul(allRows, tf.tensor2d(columns, [width, side]), false, true);
  return tf.matMul(tf.tensor3d(rows, [1, height, side]), tf.reshape(wide, [count, side, width]));
}

/** Bilinear resizing of maps: x [n, h, w] → [n, height, width], by a differentiable map. */
export function resizeBilinear(x: tf.Tensor3D, height: number, width: number): tf.Tensor3D {
  const [count, h, w] = x.shape;
  const columns = tf.tensor2d(bilinearMatrix(w, width), [width, w]);
  const wide = tf.reshape(tf.matMul(tf.reshape(x, [count * h, w]), columns, false, true), [count, h, width]);
  return tf.matMul(tf.tensor3d(bilinearMatrix(h, height), [1, height, h]), wide);
}

/** Bilinear doubling of a grid of vectors: x [h, w, D] → [2·h, 2·w, D], by a differentiable map. */
export function doubleBilinear(x: tf.Tensor3D): tf.Tensor3D {
  const [h, w, size] = x.shape;
  const [rows, columns] = [tf.tensor2d(bilinearMatrix(h, 2 * h), [2 * h, h]), bilinearMatrix(w, 2 * w)];
  const tall: tf.Tensor3D = tf.reshape(tf.matMul(rows, tf.reshape(x, [h, w * size])), [2 * h, w, size]);
  // [2·h, w, D] → [w, 2·h·D] → [2·w, 2·h, D] → [2·h, 2·w, D]
  const turned = tf.reshape(tf.transpose(tall, [1, 0, 2]), [w, 2 * h * size]);
  const across = tf.matMul(tf.tensor2d(columns, [2 * w, w]), turned);
  return tf.transpose(tf.reshape(across, [2 * w, 2 * h, size]), [1, 0, 2]);
}
