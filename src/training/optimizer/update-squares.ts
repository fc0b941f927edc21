/**
 * Size of an AdamW update: sums of squares of gradient, weights before and change. The change is computed from the
 * moments after the update, so no copy of the weights is kept; in pieces, so that memory does not grow with the model.
 */
import * as tf from '../../engine/tf.js';
import type { AdamWOptions } from '../config/training-config.js';

/** Constants of AdamW's step. */
type AdamWConstants = Pick<AdamWOptions, 'beta1' | 'beta2' | 'eps' | 'weightDecay'>;

export interface UpdateSquares {
  /** Mean gradient before clipping. */
  readonly gradient: number;
  /** Weights before the update. */
  readonly weights: number;
  /** Difference that the update made. */
  readonly change: number;
}

/** One variable, or a stretch of one, after an update. All tensors have the same shape. */
export interface UpdatedVariable {
  readonly variable: tf.Tensor;
  /** Terms of the update; null where the variable had no gradient, and stayed as it is. */
  readonly update: {
    readonly gradient: tf.Tensor;
    /** Moments after the update. */
    readonly m: tf.Tensor;
    readonly v: tf.Tensor;
    /** Rate of this variable, its multiplier included. */
    readonly learningRate: number;
    /** Number of the update, from 1. */
    readonly step: number;
  } | null;
}

export type NamedSquares = ReadonlyMap<string, UpdateSquares>;
export const NO_SQUARES: UpdateSquares = { gradient: 0, weights: 0, change: 0 };
/** Numbers that are computed at once: temporaries fit into the cache, and sums in float32 stay right to three digits. */
const NUMBERS_AT_ONCE = 2 ** 16;

/** All sums are read at once. @param gradientScale factor on the gradients: 1 / number of micro-batches */
export async function updateSquares(
  variables: readonly UpdatedVariable[],
  options: AdamWConstants,
  gradientScale: number,
): Promise<UpdateSquares[]> {
  if (variables.length === 0) return [];
  const pieces = variables.flatMap((updated, index) => {
    const { size } = updated.variable;
    return Array.from({ length: Math.ceil(size / NUMBERS_AT_ONCE) }, (_, i) => {
      const start = i * NUMBERS_AT_ONCE;
      return { updated, index, start, length: Math.min(NUMBERS_AT_ONCE, size - start) };
    });
  });
  const sums = tf.tidy(() => {
    return tf.stack(pieces.map(({ updated, start, length }) => sumsOf(updated, start, length, options)));
  });
  try {
    const read = await sums.data<'float32'>();
    const out = variables.map(() => NO_SQUARES);
    for (const [i, { index }] of pieces.entries()) {
      const [gradient = NaN, weights = NaN, change = NaN] = read.subarray(3 * i, 3 * i + 3);
      const own = { gradient: gradient * gradientScale ** 2, weights, change };
      out[index] = addSquares(out[index] ?? NO_SQUARES, own);
    }
    return out;
  } finally {
    sums.dispose();
  }
}

export function addSquares(a: UpdateSquares, b: UpdateSquares): UpdateSquares {
  return { gradient: a.gradient + b.gradient, weights: a.weights + b.weights, change: a.change + b.change };
}

/** [3]: gradient, weights before, change. */
function sumsOf(
  { variable, update }: UpdatedVariable,
  start: number,
  length: number,
  { beta1, beta2, eps, weightDecay }: AdamWConstants,
): tf.Tensor {
  return tf.tidy(() => {
    const piece = (tensor: tf.Tensor): tf.Tensor => {
      return length === tensor.size ? tensor : tf.slice(tf.reshape(tensor, [-1]), [start], [length]);
    };
    const square = (tensor: tf.Tensor): tf.Tensor => tf.sum(tf.square(tensor));
    const after = piece(variable);
    if (update === null) return tf.stack([tf.scalar(0), square(after), tf.scalar(0)]);
    const { gradient, m, v, learningRate, step } = update;
    // p ← p·(1 - lr·decay) - lr/(1-β1ᵗ) · m / (sqrt(v/(1-β2ᵗ)) + eps), turned round.
    const root = Math.sqrt(1 - beta2 ** step);
    const direction = tf.div(piece(m), tf.add(tf.sqrt(piece(v)), eps * root));
    const taken = tf.mul(direction, (learningRate * root) / (1 - beta1 ** step));
    const decay = learningRate * weightDecay;
    const before = tf.mul(tf.add(after, taken), 1 / (1 - decay));
    const change = decay === 0 ? taken : tf.add(taken, tf.mul(before, decay));
    return tf.stack([square(piece(gradient)), square(before), square(change)]);
  });
}
