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
