/**
 * Optimiser steps in place: AdamW, accumulation, the global norm; none is differentiable. On the WASM engine numbers
 * change where they lie on the heap. TensorFlow's AdamW changes large variables in place too, a block of rows at a
 * time: half of what GSVA trains is one embedding. Elsewhere (and on TensorFlow's GPU, where that is untried) each
 * variable is assigned a new tensor.
 */
import { type TensorflowBackend, writeRows } from './tensorflow-kernels.js';
import { vectorKernels } from './simd/vector-kernels.js';
import * as tf from './tf.js';
import { type WasmBackend, announceChange, currentWasmBackend, pointer } from './wasm-heap.js';

const NUMBERS_PER_SUM = 1024;
/** Intermediate results of a block are a dozen times as many: 3 MB. */
const NUMBERS_PER_BLOCK = 2 ** 16;

/** One AdamW update of one variable. All tensors have the variable's shape. */
export interface AdamWStep {
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
  readonly step: number;
  /** The gradient is multiplied by this first (clipping, mean over micro-batches). */
  readonly gradientScale: number;
}

/** AdamW as in PyTorch: p ← p·(1 - lr·decay) - lr/(1-β1ᵗ) · m / (sqrt(v/(1-β2ᵗ)) + eps). */
export function adamWUpdate(update: AdamWStep): void {
  for (const tensor of [update.m, update.v, update.gradient]) requireSameShape('adamWUpdate', update.variable, tensor);
  const [wasm, tensorflow] = [currentWasmBackend(), currentTensorflowBackend()];
  const { variable, m, v, gradient } = update;
  const isLarge = variable.size > NUMBERS_PER_BLOCK;
  if (wasm !== null) adamWInPlace(wasm, update);
  else if (isLarge && tensorflow?.isUsingGpuDevice === false) adamWByRows(tensorflow, update);
  else {
    const next = adamWRule(update);
    tf.tidy(() => {
      m.assign(next.m(m, gradient));
      v.assign(next.v(v, gradient));
      variable.assign(next.variable(variable, m, v));
    });
  }
}

/** Factors of a step: on the corrected first moment, on the root of the second, on the variable. */
function factorsOf({ learningRate, beta1, beta2, step, weightDecay }: AdamWStep) {
  const stepSize = learningRate / (1 - beta1 ** step);
  return { stepSize, secondCorrection: 1 / Math.sqrt(1 - beta2 ** step), decay: 1 - learningRate * weightDecay };
}

/** A tensor made from a variable by reshaping shares the change. */
function adamWByRows(backend: TensorflowBackend, update: AdamWStep): void {
  for (const variable of [update.variable, update.m, update.v]) ownData(backend, variable);
  const next = adamWRule(update);
  for (const [first, count] of blocksOfRows(update.variable)) {
    tf.tidy(() => {
      const rowsOf = (tensor: tf.Tensor): tf.Tensor => tf.slice(tensor, first, count);
      const gradient = rowsOf(update.gradient);
      const m = tf.tidy(() => next.m(rowsOf(update.m), gradient));
      const v = tf.tidy(() => next.v(rowsOf(update.v), gradient));
      const variable = tf.tidy(() => next.variable(rowsOf(update.variable), m, v));
      const rows = tf.range(first, first + count, 1, 'int32');
      writeRows(backend, update.m, rows, m);
      writeRows(backend, update.v, rows, v);
      writeRows(backend, update.variable, rows, variable);
    });
  }
}

function blocksOfRows({ shape: [rows = 1], size }: tf.Tensor): [number, number][] {
  const most = Math.max(1, Math.floor((NUMBERS_PER_BLOCK * rows) / size));
  return Array.from({ length: Math.ceil(rows / most) }, (_, block) => {
    return [block * most, Math.min(most, rows - block * most)];
  });
}

/** The rule of AdamW; every operation is a pass over memory, so constants are combined. */
function adamWRule(update: AdamWStep) {
  const { beta1, beta2, gradientScale } = update;
  const { stepSize, secondCorrection, decay } = factorsOf(update);
  return {
    m: (m: tf.Tensor, gradient: tf.Tensor): tf.Tensor =>
      tf.add(tf.mul(m, beta1), tf.mul(gradient, gradientScale * (1 - beta1))),
    v: (v: tf.Tensor, gradient: tf.Tensor): tf.Tensor =>
      tf.add(tf.mul(v, beta2), tf.mul(tf.square(gradient), gradientScale ** 2 * (1 - beta2))),
    /** From the updated moments. */
    variable: (variable: tf.Tensor, m: tf.Tensor, v: tf.Tensor): tf.Tensor => {
      // stepSize · m / (sqrt(v) · c + eps) = stepSize / c · m / (sqrt(v) + eps / c)
      const step = tf.mul(tf.div(m, tf.add(tf.sqrt(v), update.eps / secondCorrection)), stepSize / secondCorrection);
      return tf.sub(decay === 1 ? variable : tf.mul(variable, decay), step);
    },
  };
}

function currentTensorflowBackend(): TensorflowBackend | null {
  return tf.getBackend() === 'tensorflow' ? (tf.backend() as TensorflowBackend) : null;
}

function adamWInPlace(backend: WasmBackend, update: AdamWStep): void {
  const { beta1, beta2, eps, gradientScale } = update;
  const { stepSize, secondCorrection, decay } = factorsOf(update);
  const changed = [update.variable, update.m, update.v];
  for (const variable of changed) ownData(backend, variable);
  const pointers = [...changed, update.gradient].map((tensor) => pointer(backend, tensor));
  const factors = [gradientScale, beta1, beta2, eps, stepSize, secondCorrection, decay];
  vectorKernels(backend).adamW(...pointers, update.variable.size, ...factors);
  for (const variable of changed) announceChange(backend, variable);
}

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

export async function sumOfSquares(tensors: readonly tf.Tensor[]): Promise<number> {
  const backend = currentWasmBackend();
  if (backend !== null) return tensors.reduce((sum, tensor) => sum + sumOfSquaresOnHeap(backend, tensor), 0);
  return tensors.length === 0 ? 0 : sumOfSquaresOfTensors(tensors);
}

/** One number of each tensor, or of each block of a large one, is read, all at once. */
async function sumOfSquaresOfTensors(tensors: readonly tf.Tensor[]): Promise<number> {
  const sumOf = (tensor: tf.Tensor): tf.Tensor => tf.tidy(() => tf.sum(tf.square(tensor)));
  const sums = tf.tidy(() => {
    return tf.stack(
      tensors.flatMap((tensor) => {
        if (currentTensorflowBackend() === null || tensor.size <= NUMBERS_PER_BLOCK) return [sumOf(tensor)];
        return blocksOfRows(tensor).map(([first, count]) => tf.tidy(() => sumOf(tf.slice(tensor, first, count))));
      }),
    );
  });
  try {
    return (await sums.data<'float32'>()).reduce((sum, value) => sum + value, 0);
  } finally {
    sums.dispose();
  }
}

/** Sums in float32 over groups of numbers, in float64 over the groups. */
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
 * Gives a variable memory of its own where other tensors share it (clones, reshaped views, its source), so that a
 * change in place is limited to the variable.
 */
function ownData(backend: { refCount(dataId: tf.DataId): number }, variable: tf.Variable): void {
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
