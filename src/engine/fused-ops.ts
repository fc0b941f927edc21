/**
 * Differentiable operations of transformers, each one step of the tape, as plain functions of tensors. On the WASM
 * engine they run on kernels of our own (`kernels/`) directly on the heap, on other backends on formulas
 * (`composite-kernels.ts`). Either way the tape keeps only what a gradient needs (`fused-gradients.ts`), and values and
 * gradients agree.
 */
import * as tf from './tf.js';

export { accumulate, adamWUpdate, sumOfSquares, type AdamWStep } from './update-ops.js';

function check(condition: boolean, operation: string, expected: string, ...found: tf.Tensor[]): void {
  if (condition) return;
  const shapes = found.map((tensor) => `${tensor.dtype} [${tensor.shape.join(', ')}]`).join(' and ');
  throw new Error(`${operation} expects ${expected}, but was given ${shapes}.`);
}

/**
 * Layer normalisation over the last axis: y = (x - mean) sqrt(variance + eps) · gamma + beta.
 * @param x [..., D] float32 @param gamma [D] @param beta [D]
 */
export function layerNorm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, eps: number): tf.Tensor {
  const width = x.shape[x.rank - 1];
  check(gamma.size === width && beta.size === width, 'layerNorm', 'x [..., D], gamma [D], beta [D]', x, gamma, beta);
  return tf.engine().runKernel('GsvaLayerNorm', { x, gamma, beta }, { eps });
}

/** RMS norm over the last axis: y = x sqrt(mean(x²) + eps) · gamma. @param x [..., D] float32 @param gamma [D] */
export function rmsNorm(x: tf.Tensor, gamma: tf.Tensor, eps: number): tf.Tensor {
  check(gamma.size === x.shape[x.rank - 1], 'rmsNorm', 'x [..., D] and gamma [D]', x, gamma);
  return tf.engine().runKernel('GsvaRmsNorm', { x, gamma }, { eps });
}

/** Exact GELU, x · Φ(x) with the error function. Any shape. */
export function gelu<T extends tf.Tensor>(x: T): T {
  return tf.engine().runKernel('GsvaGelu', { x });
}

/** CLIP's GELU, x · sigmoid(1.702 x). Any shape. */
export function quickGelu<T extends tf.Tensor>(x: T): T {
  return tf.engine().runKernel('GsvaQuickGelu', { x });
}

/** SiLU, x · sigmoid(x). Any shape. */
export function silu<T extends tf.Tensor>(x: T): T {
  return tf.engine().runKernel('GsvaSilu', { x });
}

/** LLaMA's gated unit, silu(gate) · up. Both of one shape. */
export function siluMul<T extends tf.Tensor>(gate: T, up: T): T {
  check(tf.util.arraysEqual(gate.shape, up.shape), 'siluMul', 'gate and up of one shape', gate, up);
  return tf.engine().runKernel('GsvaSiluMul', { gate, up });
}

/** Which scores `maskedSoftmax` hides. */
export interface MaskedSoftmaxOptions {
  /** Factor on the scores before the softmax. Default 1. */
  readonly scale?: number;
  /** Query i attends to keys j <= i + causalOffset (0: causal; with a KV cache, the past's length). null: to all. */
  readonly causalOffset?: number | null;
  /** [B] int32: conversation b has keys 0 … keyLengths[b]-1; further ones are padding. null: all. */
  readonly keyLengths?: tf.Tensor1D | null;
}

/**
 * Attention weights: softmax over the last axis of scale · scores, over the visible keys. A row without visible keys is
 * zero, with gradient zero; one of -Infinity alone is NaN. Hidden scores may be infinite; NaN among them may make its
 * row NaN.
 * @param scores [B, H, Tq, Tk] float32
 * @returns [B, H, Tq, Tk], each row summing to 1 (or 0)
 */
export function maskedSoftmax(scores: tf.Tensor4D, options: MaskedSoftmaxOptions = {}): tf.Tensor4D {
  const { scale = 1, causalOffset = null, keyLengths = null } = options;
  check(scores.rank === 4, 'maskedSoftmax', 'scores [B, H, Tq, Tk]', scores);
  if (keyLengths !== null) {
    check(keyLengths.size === scores.shape[0], 'maskedSoftmax', 'one key length per batch item', keyLengths, scores);
  }
  const lengths = keyLengths === null || keyLengths.dtype === 'int32' ? keyLengths : tf.cast(keyLengths, 'int32');
  const inputs: tf.NamedTensorMap = lengths === null ? { scores } : { scores, keyLengths: lengths };
  // Without a limit every key is near enough.
  const offset = causalOffset ?? scores.shape[3];
  return tf.engine().runKernel('GsvaMaskedSoftmax', inputs, { scale, causalOffset: offset });
}

/**
 * Mean cross entropy of next-token logits over the supervised labels (0 without any). A logit of -Infinity in a wrong
 * class is an impossible class, with gradient 0; in the right class the loss is Infinity. Ignored rows may hold
 * anything.
 * @param logits [N, V] float32
 * @param labels [N] int32 in [0, V) or `ignoreLabel`
 */
export function softmaxCrossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D, ignoreLabel = -100): tf.Scalar {
  const fits = logits.rank === 2 && labels.size === logits.shape[0] && labels.dtype === 'int32';
  check(fits, 'softmaxCrossEntropy', 'logits [N, V] and int32 labels [N]', logits, labels);
  const [loss, rowSums] = tf
    .engine()
    .runKernel<[tf.Scalar, tf.Tensor]>('GsvaSoftmaxCrossEntropy', { logits, labels }, { ignoreLabel });
  rowSums.dispose(); // the tape keeps its own
  return loss;
}

/**
 * The two mask losses, one value per mask: BCE = mean over pixels; DICE = 1 - (2Σpg/1000 + 1e-6) (Σp/1000 + Σg/1000 +
 * 1e-6), p = sigmoid(logits).
 * @param logits [Q, H, W] float32
 * @param targets [Q, H, W] float32, 0 or 1; no gradient flows to them
 * @returns bce [Q] and dice [Q]
 */
export function maskLoss(logits: tf.Tensor3D, targets: tf.Tensor3D): { bce: tf.Tensor1D; dice: tf.Tensor1D } {
  check(tf.util.arraysEqual(logits.shape, targets.shape), 'maskLoss', 'logits and targets [Q, H, W]', logits, targets);
  const [bce, dice, parts] = tf
    .engine()
    .runKernel<[tf.Tensor1D, tf.Tensor1D, tf.Tensor]>('GsvaMaskLoss', { logits, targets });
  parts.dispose(); // the tape keeps its own
  return { bce, dice };
}

/**
 * x · w + bias over the last axis, in one step.
 * @param x [..., in] float32 @param w [in, out] @param bias [out] or null @returns [..., out]
 */
export function linear(x: tf.Tensor, w: tf.Tensor2D, bias: tf.Tensor1D | null): tf.Tensor {
  const fits = w.rank === 2 && x.shape[x.rank - 1] === w.shape[0] && (bias === null || bias.size === w.shape[1]);
  check(fits, 'linear', 'x [..., in], w [in, out], bias [out]', x, w, ...(bias === null ? [] : [bias]));
  return tf.engine().runKernel('GsvaLinear', bias === null ? { x, w } : { x, w, bias });
}

/**
 * Rotary position embedding as in Hugging Face's LLaMA: x · cos + rotateHalf(x) · sin with rotateHalf([a, b]) = [-b, a]
 * over the two halves of the last axis.
 * @param x [B, H, T, D] float32, D even
 * @param cos [T, D] of the T positions, and `sin`; both halves hold the same angles. No gradient flows to them
 */
export function rotary(x: tf.Tensor4D, cos: tf.Tensor2D, sin: tf.Tensor2D): tf.Tensor4D {
  const [, , length, width] = x.shape;
  const fits = width % 2 === 0 && [cos, sin].every((table) => table.shape[0] === length && table.shape[1] === width);
  check(fits, 'rotary', 'x [B, H, T, D] with D even, cos [T, D], sin [T, D]', x, cos, sin);
  return tf.engine().runKernel('GsvaRotary', { x, cos, sin }, { direction: 1 });
}
