/** What all kinds of multi-head attention share: reshapes, and the product of softmax and values. */
import * as fused from '../engine/fused-ops.js';
import * as tf from '../engine/tf.js';

/** Scores computed at once, in numbers: 16 MiB bound the memory of attention over a whole image. */
const MOST_SCORES = 2 ** 22;

/** [B, T, H·D] → [B, H, T, D]. */
export function splitHeads(x: tf.Tensor, heads: number): tf.Tensor4D {
  const [batch, time, width] = x.shape as [number, number, number];
  return tf.transpose(tf.reshape(x, [batch, time, heads, width / heads]), [0, 2, 1, 3]);
}

/** [B, H, T, D] → [B, T, H·D]. */
export function mergeHeads(x: tf.Tensor): tf.Tensor3D {
  const [batch, heads, time, size] = x.shape as [number, number, number, number];
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch, time, heads * size]);
}

/**
 * softmax(q·kᵀ)·v, as many of the n products at a time as fit into a bounded piece of memory, at least one.
 * @param q [n, Tq, c], any scale in it already
 * @param k [n, Tk, c]
 * @param v [n, Tk, d]
 * @returns [n, Tq, d]
 */
export function attend(q: tf.Tensor3D, k: tf.Tensor3D, v: tf.Tensor3D): tf.Tensor3D {
  const [n, queries] = q.shape;
  const atOnce = Math.max(1, Math.floor(MOST_SCORES / (queries * k.shape[1])));
  if (atOnce >= n) return attendAtOnce(q, k, v);
  const parts: tf.Tensor3D[] = [];
  for (let first = 0; first < n; first += atOnce) {
    const some = (x: tf.Tensor3D): tf.Tensor3D => tf.slice(x, first, Math.min(atOnce, n - first));
    parts.push(tf.tidy(() => attendAtOnce(some(q), some(k), some(v))));
  }
  return tf.concat(parts, 0);
}

function attendAtOnce(q: tf.Tensor3D, k: tf.Tensor3D, v: tf.Tensor3D): tf.Tensor3D {
  const [n, queries] = q.shape;
  const keys = k.shape[1];
  const scores = tf.matMul(q, k, false, true);
  const weights = fused.maskedSoftmax(tf.reshape(scores, [1, n, queries, keys]));
  scores.dispose();
  return tf.matMul(tf.reshape(weights, [n, queries, keys]), v);
}
