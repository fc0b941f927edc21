/**
 * What an optimiser does to parameters, in place: AdamW, accumulation, the global norm.
 *
 * On the WASM engine the numbers are changed where they lie on the heap and nothing is allocated; elsewhere each
 * variable is assigned a new tensor, one variable at a time. None of these functions is differentiable.
 */
import { vectorKernels } from './simd/vector-kernels.js';
import * as tf from './tf.js';
import type { WasmBackend } from './wasm-heap.js';
import { announceChange, currentWasmBackend, pointer } from './wasm-heap.js';

const NUMBERS_PER_SUM = 1024;

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
  const { variable, m, v, gradient, beta1, beta2, gradientScale } = update;
  const stepSize = update.learningRate / (1 - beta1 ** update.step);
  const secondCorrection = 1 / Math.sqrt(1 - beta2 ** update.step);
  const decay = 1 - update.learningRate * update.weightDecay;
  tf.tidy(() => {
    // Every operation here is a pass over memory, so constants are put together.
    m.assign(tf.add(tf.mul(m, beta1), tf.mul(gradient, gradientScale * (1 - beta1))));
    v.assign(tf.add(tf.mul(v, beta2), tf.mul(tf.square(gradient), gradientScale ** 2 * (1 - beta2))));
    // stepSize · m / (sqrt(v) · c + eps) = stepSize / c · m / (sqrt(v) + eps / c)
    const step = tf.mul(tf.div(m, tf.add(tf.sqrt(v), update.eps / secondCorrection)), stepSize / secondCorrection);
    variable.assign(tf.sub(decay === 1 ? variable : tf.mul(variable, decay), step));
  });
}

function adamWInPlace(backend: WasmBackend, update: AdamWStep): void {
  const { beta1, beta2, eps, gradientScale } = update;
  const stepSize = update.learningRate / (1 - beta1 ** update.step);
  const secondCorrection = 1 / Math.sqrt(1 - beta2 ** update.step);
  const decay = 1 - update.learningRate * update.weightDecay;
  const changed = [update.variable, update.m, update.v];
  for (const variable of changed) ownData(backend, variable);
  const [p, m, v, gradient] = [...changed, update.gradient].map((tensor) => pointer(backend, tensor)) as [
    number,
    number,
    number,
    number,
  ];
  const { adamW } = vectorKernels(backend);
  const { size } = update.variable;
  adamW(p, m, v, gradient, size, gradientScale, beta1, beta2, eps, stepSize, secondCorrection, decay);
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
  vectorKernels(backend).accumulate(pointer(backend, dst), pointer(backend, src), scale, dst.size);
  announceChange(backend, dst);
}

/** The sum of the squares of all numbers of all tensors (the square of their global norm). */
export async function sumOfSquares(tensors: readonly tf.Tensor[]): Promise<number> {
  const backend = currentWasmBackend();
  if (backend !== null) return tensors.reduce((sum, tensor) => sum + sumOfSquaresOnHeap(backend, tensor), 0);
  return tensors.length === 0 ? 0 : sumOfSquaresOfTensors(tensors);
}

/** Where the tensors lie; one number of each is read, all at once. */
async function sumOfSquaresOfTensors(tensors: readonly tf.Tensor[]): Promise<number> {
  const sums = tf.tidy(() => tf.stack(tensors.map((tensor) => tf.sum(tf.square(tensor)))));
  try {
    return (await sums.data<'float32'>()).reduce((sum, value) => sum + value, 0);
  } finally {
    sums.dispose();
  }
}

/** In float32 over groups of numbers, in float64 over the groups. */
function sumOfSquaresOnHeap(backend: WasmBackend, tensor: tf.Tensor): number {
  const { sumOfSquares: sum } = vectorKernels(backend);
  const start = pointer(backend, tensor);
  let total = 0;
  for (let first = 0; first < tensor.size; first += NUMBERS_PER_SUM) {
    total += sum(start + first * 4, Math.min(NUMBERS_PER_SUM, tensor.size - first));
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
