/** Kernels that sum over rows: gradients of biases and of the norms' factors. Means are recomputed, not kept. */
import { vectorKernels } from '../simd/vector-kernels.js';
import type * as tf from '../tf.js';
import {
  type KernelCall,
  type WasmBackend,
  attribute,
  floatView,
  input,
  makeFloats,
  pointer,
  registerWasmKernel,
  rowsOf,
} from '../wasm-heap.js';

/** Rows per sum in float32; these sums are added up in float64. */
const ROWS_PER_SUM = 256;
const FLOAT_BYTES = 4;

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

/** Sums over groups of rows what `add(firstRow, rows, sums)` adds to the numbers at `sums`. */
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

export function registerRowSums(): void {
  registerWasmKernel('GsvaColumnSum', columnSum);
  registerWasmKernel('GsvaLayerNormGradGamma', (call) => gradGamma(call, 'layerNormGradGamma'));
  registerWasmKernel('GsvaRmsNormGradGamma', (call) => gradGamma(call, 'rmsNormGradGamma'));
}
