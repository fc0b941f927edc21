/** Mask post-processing (SAM's `postprocess_masks`): low-resolution logits → logits at the image's own size. */
import * as tf from '../../engine/tf.js';
import { maskResizeMatrices } from '../../nn/bilinear.js';

export interface ImageSize {
  /** [height, width] of the image inside F_V2's square input. */
  readonly resized: readonly [number, number];
  /** [height, width] of the image file. */
  readonly original: readonly [number, number];
}

/**
 * Two matrix products do resize, crop and resize, and have an exact gradient.
 * @param lowResMasks [n, s, s] logits
 * @param inputSize side of F_V2's square input
 * @returns [n, H, W] logits
 */
export function resizeMasks(lowResMasks: tf.Tensor3D, size: ImageSize, inputSize: number): tf.Tensor3D {
  const [count, side] = lowResMasks.shape;
  const [height, width] = size.original;
  const { rows, columns } = maskResizeMatrices(side, inputSize, size.resized, size.original);
  // columns: [n·s, s] · [s, W] → [n, s, W]; rows: [1, H, s] · [n, s, W] → [n, H, W]
  const wide = tf.matMul(
    tf.reshape(lowResMasks, [count * side, side]),
    tf.tensor2d(columns, [width, side]),
    false,
    true,
  );
  return tf.matMul(tf.tensor3d(rows, [1, height, side]), tf.reshape(wide, [count, side, width]));
}
