import * as tf from '../engine/tf.js';

/** Rows of the hidden states [B, T, D] by index into B·T → [n, D]. */
export function statesAt(hidden: tf.Tensor3D, positions: readonly number[] | Int32Array): tf.Tensor2D {
  const flat = tf.reshape(hidden, [-1, hidden.shape[2]]); // [B, T, D] → [B·T, D]
  return tf.gather(flat, tf.tensor1d(Int32Array.from(positions), 'int32')) as tf.Tensor2D;
}
