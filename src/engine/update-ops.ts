/**
 * What an optimiser does to parameters, in place: AdamW, accumulation, the global norm.
 *
 * On the WASM engine the numbers are changed where they lie on the heap and nothing is allocated; elsewhere each
 * variable is assigned a new tensor, one variable at a time. None of these functions is differentiable.
 */
import * as tf from './tf.js';
import type { WasmBackend } from './wasm-heap.js';
import { announceChange, currentWasmBackend, floatView } from './wasm-heap.js';

/** One AdamW update of one variable. All tensors have the variable's shape. */
export interface AdamWStep {
  /** The parameter; changed. */
  readonly variable: tf.Variable;
  /** First moment; changed. Starts at zero. */
  readonly m: tf.Variable;
  /** Second moment; changed. Starts at zero. */
  readonly v: tf.Variable;
  readonly gradient: tf.Tensor;
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  /** Decoupled decay: the parameter is first multiplied by 1 - learningRate · weightDecay. */
  readonly weightDecay: number;
  /** Number of this update, counted from 1 (for the bias correction). */
  readonly step: number;
  /** The gradient is multiplied by this first (clipping, mean over micro-batches). */
  readonly gradientScale: number;
}

/** AdamW as in PyTorch: p ← p·(1 - lr·decay) - lr/(1-β1ᵗ) · m / (sqrt(v/(1-β2ᵗ)) + eps). */
export function adamWUpdate(update: AdamWStep): void {
  for (const tensor of [update.m, update.v, update.gradient]) requireSameShape('adamWUpdate', update.variable, tensor);
  const backend = currentWasmBackend();
  if (backend === null) adamWByTensors(update);
  else adamWInPlace(backend, update);
}

function adamWByTensors(update: AdamWStep): void {
  const { variable, m, v, beta1, beta2, eps } = update;
  const stepSize = update.learningRate / (1 - beta1 ** update.step);
  const secondCorrection = 1 / Math.sqrt(1 - beta2 ** update.step);
  const decay = 1 - update.learningRate * update.weightDecay;
  tf.tidy(() => {
    const gradient = tf.mul(update.gradient, update.gradientScale);
    m.assign(tf.add(tf.mul(m, beta1), tf.mul(gradient, 1 - beta1)));
    v.assign(tf.add(tf.mul(v, beta2), tf.mul(tf.square(gradient), 1 - beta2)));
    const denominator = tf.add(tf.mul(tf.sqrt(v), secondCorrection), eps);
    variable.assign(tf.sub(tf.mul(variable, decay), tf.mul(tf.div(m, denominator), stepSize)));
  });
}

function adamWInPlace(backend: WasmBackend, update: AdamWStep): void {
  const { beta1, beta2, eps, gradientScale } = update;
  const stepSize = update.learningRate / (1 - beta1 ** update.step);
  const secondCorrection = 1 / Math.sqrt(1 - beta2 ** update.step);
  const decay = 1 - update.learningRate * update.weightDecay;
  const changed = [update.variable, update.m, update.v];
  for (const variable of changed) ownData(backend, variable);
  const [p, m, v] = changed.map((variable) => floatView(backend, variable)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const gradient = floatView(backend, update.gradient);
  for (let i = 0; i < p.length; i++) {
    const g = (gradient[i] as number) * gradientScale;
    const first = beta1 * (m[i] as number) + (1 - beta1) * g;
    const second = beta2 * (v[i] as number) + (1 - beta2) * g * g;
    m[i] = first;
    v[i] = second;
    p[i] = (p[i] as number) * decay - (stepSize * first) / (Math.sqrt(second) * secondCorrection + eps);
  }
  for (const variable of changed) announceChange(backend, variable);
}

/** dst ← dst + scale · src. Both of one shape. */
export function accumulate(dst: tf.Variable, src: tf.Tensor, scale = 1): void {
  requireSameShape('accumulate', dst, src);
  const backend = currentWasmBackend();
  if (backend === null) {
    tf.tidy(() => {
      dst.assign(tf.add(dst, tf.mul(src, scale)));
    });
    return;
  }
  ownData(backend, dst);
  const sums = floatView(backend, dst);
  const values = floatView(backend, src);
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + scale * (values[i] as number);
  announceChange(backend, dst);
}

/** The sum of the squares of all numbers of all tensors (the square of their global norm), summed in float64. */
export async function sumOfSquares(tensors: readonly tf.Tensor[]): Promise<number> {
  const backend = currentWasmBackend();
  let total = 0;
  for (const tensor of tensors) {
    const values = backend === null ? await tensor.data() : floatView(backend, tensor);
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      total += value * value;
    }
  }
  return total;
}

/**
 * Gives a variable numbers of its own when other tensors share them (clones, reshaped views, the tensor it was made
 * from), so that a change in place is seen through the variable alone.
 */
function ownData(backend: WasmBackend, variable: tf.Variable): void {
  if (backend.refCount(variable.dataId) === 1) return;
  tf.tidy(() => {
    variable.assign(tf.mul(variable, 1));
  });
}

function requireSameShape(operation: string, variable: tf.Tensor, tensor: tf.Tensor): void {
  if (tf.util.arraysEqual(variable.shape, tensor.shape)) return;
  const found = `[${variable.shape.join(', ')}] and [${tensor.shape.join(', ')}]`;
  throw new Error(`${operation} expects tensors of the variable's shape, but was given ${found}.`);
}
