/**
 * Blocks of 2 × 2 neighbours as channels, and back. The order of the channels is (dy, dx, c): that of InternVL's
 * `pixel_shuffle` ("v2") with a factor of 1/2.
 */
import * as tf from '../engine/tf.js';

/** Side of a block. */
export const SHUFFLE = 2;

/** x [B, H, W, C] → [B, H/2, W/2, 4·C]. */
export function pixelShuffle(x: tf.Tensor4D): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const [rows, columns] = [height / SHUFFLE, width / SHUFFLE];
  // [B, H, W, C] → [B·H/2, 2, W/2, 2·C] → [B·H/2, W/2, 2, 2·C]
  const strips = tf.transpose(tf.reshape(x, [batch * rows, SHUFFLE, columns, SHUFFLE * channels]), [0, 2, 1, 3]);
  return tf.reshape(strips, [batch, rows, columns, SHUFFLE * SHUFFLE * channels]);
}

/** The inverse: x [B, H, W, 4·C] → [B, 2·H, 2·W, C]. */
export function pixelUnshuffle(x: tf.Tensor4D): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const size = channels / (SHUFFLE * SHUFFLE);
  const strips = tf.reshape(x, [batch * height, width, SHUFFLE, SHUFFLE * size]);
  return tf.reshape(tf.transpose(strips, [0, 2, 1, 3]), [batch, SHUFFLE * height, SHUFFLE * width, size]);
}
