/** Kernels of layerNorm and rmsNorm over the last axis, with their gradients. Means are recomputed, not kept. */
import { vectorKernels } from '../simd/vector-kernels.js';
import type * as tf from '../tf.js';
import { type KernelCall, type WasmBackend, attribute, floatView, input, makeFloats, pointer, registerWasmKernel, rowsOf } from '../wasm-heap.js';

/** Sums over many rows are made in float32 over this many, and in float64 over these. */
const ROWS_PER_SUM = 256;
const FLOAT_BYTES = 4;

function layerNorm(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const x = input(call, 'x');
  const { rows, width } = rowsOf(x.shape);
  const out = makeFloats(backend, x.shape);
  const [px, gamma, beta, y] = [x, input(call, 'gamma'), input(call, 'beta'), out].map((one) => pointer(backend, one));
  vectorKernels(backend).layerNorm(px ?? 0, gamma ?? 0, beta ?? 0, y ?? 0, rows, width, attribute(call, 'eps'));
  return out;
}

function rmsNorm(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const x = input(call, 'x');
  const { rows, width } = rowsOf(x.shape);
  const out = makeFloats(backend, x.shape);
  const gamma = pointer(backend, input(call, 'gamma'));
  const kernels = vectorKernels(backend);
  kernels.rmsNorm(pointer(backend, x), gamma, pointer(backend, out), rows, width, attribute(call, 'eps'));
  return out;
}

function gradX(call: KernelCall, name: 'layerNormGradX' | 'rmsNormGradX'): tf.TensorInfo {
  const { backend } = call;
  const x = input(call, 'x');
  const { rows, width } = rowsOf(x.shape);
  const out = makeFloats(backend, x.shape);
  const gamma = pointer(backend, input(call, 'gamma'));
  const dy = pointer(backend, input(call, 'dy'));
  const compute = vectorKernels(backend)[name];
  compute(pointer(backend, x), gamma, dy, pointer(backend, out), rows, width, attribute(call, 'eps'));
  return out;
}

function gradGamma(call: KernelCall, name: 'layerNormGradGamma' | 'rmsNormGradGamma'): tf.TensorInfo {
  const { backend } = call;
  const x = input(call, 'x');
  const { rows, width } = rowsOf(x.shape);
  const [px, dy, eps] = [pointer(backend, x), pointer(backend, input(call, 'dy')), attribute(call, 'eps')];
  const compute = vectorKernels(backend)[name];
  return sumOverRows(backend, rows, width, (first, count, sums) => {
    const skipped = first * width * FLOAT_BYTES;
    compute(px + skipped, dy + skipped, sums, count, width, eps);
  });
}

/** Σ over all axes but the last; the gradient of a bias. */
function columnSum(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const x = input(call, 'x');
  const { rows, width } = rowsOf(x.shape);
  const matrix = pointer(backend, x);
  const { columnSum: compute } = vectorKernels(backend);
  return sumOverRows(backend, rows, width, (first, count, sums) => {
    compute(matrix + first * width * FLOAT_BYTES, sums, count, width);
  });
}

/** Adds up, over groups of rows, what `add(firstRow, rows, sums)` adds to the numbers at `sums`. */
function sumOverRows(
  backend: WasmBackend,
  rows: number,
  width: number,
  add: (first: number, count: number, sums: number) => void,
): tf.TensorInfo {
  const out = makeFloats(backend, [width]);
  const partial = floatView(backend, out);
  const sums = pointer(backend, out);
  const totals = new Float64Array(width);
  for (let first = 0; first < rows; first += ROWS_PER_SUM) {
    partial.fill(0);
    add(first, Math.min(ROWS_PER_SUM, rows - first), sums);
    for (let j = 0; j < width; j++) totals[j] = (totals[j] as number) + (partial[j] as number);
  }
  partial.set(totals);
  return out;
}

/** Registers the kernels of this file. */
export function registerNorms(): void {
  registerWasmKernel('GsvaColumnSum', columnSum);
  registerWasmKernel('GsvaLayerNorm', layerNorm);
  registerWasmKernel('GsvaRmsNorm', rmsNorm);
  registerGradients('GsvaLayerNorm', 'layerNorm');
  registerGradients('GsvaRmsNorm', 'rmsNorm');
}

function registerGradients(kernel: string, name: 'layerNorm' | 'rmsNorm'): void {
  registerWasmKernel(`${kernel}GradX`, (call) => gradX(call, `${name}GradX`));
  registerWasmKernel(`${kernel}GradGamma`, (call) => gradGamma(call, `${name}GradGamma`));
}
