/**
 * The fused operations of `fused-ops.ts` as plain TensorFlow.js operations: the formulas of backends without kernels of
 * their own (`composite-kernels.ts`), and the reference of the tests of all kernels and gradients.
 */
import * as tf from './tf.js';
import { rowsOf } from './wasm-heap.js';

/** [..., D] → [rows, D] */
export function asMatrix(x: tf.Tensor): tf.Tensor2D {
  const { rows, width } = rowsOf(x.shape);
  return x.rank === 2 ? (x as tf.Tensor2D) : tf.reshape(x, [rows, width]);
}

/** x̂ and 1/rms of each row. */
export function rmsNormParts(x: tf.Tensor, eps: number): { normed: tf.Tensor; inverse: tf.Tensor } {
  const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), eps));
  return { normed: tf.mul(x, inverse), inverse };
}

/** x̂ and 1/σ of each row. */
export function layerNormParts(x: tf.Tensor, eps: number): ReturnType<typeof rmsNormParts> {
  return rmsNormParts(tf.sub(x, tf.mean(x, -1, true)), eps);
}

export function layerNormComposite(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, eps: number): tf.Tensor {
  return tf.add(tf.mul(layerNormParts(x, eps).normed, gamma), beta);
}

export function rmsNormComposite(x: tf.Tensor, gamma: tf.Tensor, eps: number): tf.Tensor {
  return tf.mul(rmsNormParts(x, eps).normed, gamma);
}

export function geluComposite(x: tf.Tensor): tf.Tensor {
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
}

export function quickGeluComposite(x: tf.Tensor): tf.Tensor {
  return tf.mul(x, tf.sigmoid(tf.mul(x, 1.702)));
}

export function siluComposite(x: tf.Tensor): tf.Tensor {
  return tf.mul(x, tf.sigmoid(x));
}

export function siluMulComposite(gate: tf.Tensor, up: tf.Tensor): tf.Tensor {
  return tf.mul(siluComposite(gate), up);
}

/** A score so low that its exponential is 0. */
const HIDDEN = -1e30;

export function maskedSoftmaxComposite(
  scores: tf.Tensor4D,
  scale: number,
  causalOffset: number | null,
  keyLengths: tf.Tensor1D | null,
): tf.Tensor4D {
  const [batch, , queries, keys] = scores.shape;
  const scaled = scale === 1 ? scores : tf.mul(scores, scale);
  if (keyLengths === null) {
    if (causalOffset === null) return tf.softmax(scaled) as tf.Tensor4D;
    // Every query sees at least the first key. One operation on the scores; it hides infinite ones too, but not NaN.
    if (causalOffset >= 0) {
      return tf.softmax(tf.minimum(scaled, causalLimits(queries, keys, causalOffset))) as tf.Tensor4D;
    }
  }
  const key = tf.reshape(tf.range(0, keys, 1, 'float32'), [1, 1, 1, keys]);
  const query = tf.reshape(tf.range(0, queries, 1, 'float32'), [1, 1, queries, 1]);
  let visible: tf.Tensor = tf.ones([1, 1, 1, keys], 'bool');
  if (causalOffset !== null) visible = tf.logicalAnd(visible, tf.lessEqual(key, tf.add(query, causalOffset)));
  if (keyLengths !== null) {
    const lengths = tf.reshape(tf.cast(keyLengths, 'float32'), [batch, 1, 1, 1]);
    visible = tf.logicalAnd(visible, tf.less(key, lengths));
  }
  // The product with `visible` turns the rows that see nothing (uniform after the softmax) into zeros.
  const all = tf.logicalAnd(visible, tf.ones(scores.shape, 'bool'));
  const hidden = tf.where(all, scaled, tf.fill(scores.shape, HIDDEN));
  return tf.mul(tf.softmax(hidden), tf.cast(all, 'float32'));
}

/** [1, 1, Tq, Tk]: upper limit of each score: none where a query attends to a key, else one that makes its weight 0. */
function causalLimits(queries: number, keys: number, offset: number): tf.Tensor4D {
  const limits = Float32Array.from({ length: queries * keys }, (_, i) => {
    return i % keys <= Math.floor(i / keys) + offset ? Infinity : HIDDEN;
  });
  return tf.tensor4d(limits, [1, 1, queries, keys]);
}

export function softmaxCrossEntropyComposite(logits: tf.Tensor2D, labels: tf.Tensor1D, ignoreLabel: number): tf.Scalar {
  const { supervised, isLabel } = supervision(labels, ignoreLabel, logits.shape[1]);
  // Chosen, not multiplied by 0: a wrong class may be -Infinity, and a row that is ignored may hold anything.
  const likelihoods = tf.where(isLabel, tf.logSoftmax(logits), tf.zerosLike(logits));
  const perRow = tf.neg(tf.sum(likelihoods, -1));
  return tf.div(tf.sum(perRow), tf.maximum(tf.sum(tf.cast(supervised, 'float32')), 1));
}

/** Which rows are supervised, bool [N], and which class is a supervised row's label, bool [N, V]. */
export function supervision(labels: tf.Tensor1D, ignoreLabel: number, classes: number) {
  const supervised = tf.notEqual<tf.Tensor1D>(labels, ignoreLabel);
  const column = tf.expandDims(labels, 1);
  const isLabel = tf.logicalAnd(tf.equal(column, tf.range(0, classes, 1, 'int32')), tf.expandDims(supervised, 1));
  return { supervised, isLabel: isLabel as tf.Tensor2D };
}

/** `parts` [Q, 2] are numerator and denominator of each DICE. */
export function maskLossComposite(logits: tf.Tensor3D, targets: tf.Tensor3D) {
  const [masks, height, width] = logits.shape;
  const x = tf.reshape(logits, [masks, height * width]);
  const g = tf.reshape(targets, [masks, height * width]);
  // Masks are large at an image's size: what one sum needs goes before the next is made.
  const bce = tf.tidy(() => {
    const softplus = tf.tidy(() => tf.log(tf.add(tf.exp(tf.neg(tf.abs(x))), 1)));
    return tf.mean(tf.add(tf.sub(tf.relu(x), tf.mul(x, g)), softplus), 1);
  });
  const p = tf.sigmoid(x);
  const overlap = tf.div(tf.sum(tf.mul(p, g), 1), 1000);
  const total = tf.add(tf.div(tf.sum(p, 1), 1000), tf.div(tf.sum(g, 1), 1000));
  const [numerator, denominator] = [tf.add(tf.mul(overlap, 2), 1e-6), tf.add(total, 1e-6)];
  const dice = tf.sub(1, tf.div(numerator, denominator));
  return { bce, dice, parts: tf.stack([numerator, denominator], 1) };
}

export function linearComposite(x: tf.Tensor, w: tf.Tensor2D, bias: tf.Tensor1D | null): tf.Tensor {
  const product = tf.matMul(asMatrix(x), w);
  const y = bias === null ? product : tf.add(product, bias);
  return x.rank === 2 ? y : tf.reshape(y, [...x.shape.slice(0, -1), w.shape[1]]);
}

export function rotaryComposite(x: tf.Tensor4D, cos: tf.Tensor2D, sin: tf.Tensor2D): tf.Tensor4D {
  const [first, second] = tf.split(x, 2, -1) as [tf.Tensor4D, tf.Tensor4D];
  const rotated = tf.concat([tf.neg(second), first], -1);
  return tf.add(tf.mul(x, cos), tf.mul(rotated, sin));
}
