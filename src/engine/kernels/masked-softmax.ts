/** Kernel of maskedSoftmax and its gradient. Hidden keys are never read, only written as zeros. */
import { vectorKernels } from '../simd/vector-kernels.js';
import type * as tf from '../tf.js';
import { type KernelCall, attribute, floatView, input, intView, makeFloats, pointer, registerWasmKernel, rowsOf } from '../wasm-heap.js';

const FLOAT_BYTES = 4;

/** y = softmax(scale · scores) over the first `visible` keys of each row, 0 behind. */
function maskedSoftmax(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const scoresInfo = input(call, 'scores');
  const lengthsInfo = call.inputs.keyLengths;
  const scale = attribute(call, 'scale');
  const offset = attribute(call, 'causalOffset');
  const [batch, heads, queries, keys] = scoresInfo.shape as [number, number, number, number];
  const out = makeFloats(backend, scoresInfo.shape);
  const [scores, y] = [pointer(backend, scoresInfo), pointer(backend, out)];
  const values = floatView(backend, out);
  const lengths = lengthsInfo === undefined ? null : intView(backend, lengthsInfo);
  const { softmaxRow } = vectorKernels(backend);
  const rowsPerItem = heads * queries;
  for (let row = 0; row < batch * rowsPerItem; row++) {
    const length = lengths === null ? keys : (lengths[Math.floor(row / rowsPerItem)] as number);
    const visible = Math.max(0, Math.min(keys, length, (row % queries) + offset + 1));
    const start = row * keys;
    if (visible > 0) softmaxRow(scores + start * FLOAT_BYTES, y + start * FLOAT_BYTES, visible, scale);
    if (visible < keys) values.fill(0, start + visible, start + keys);
  }
  return out;
}

/** dscores = scale · y · (dy - Σ dy · y). Hidden keys have y = 0. */
function maskedSoftmaxGrad(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const y = input(call, 'y');
  const { rows, width } = rowsOf(y.shape);
  const out = makeFloats(backend, y.shape);
  const [py, dy, dscores] = [pointer(backend, y), pointer(backend, input(call, 'dy')), pointer(backend, out)];
  vectorKernels(backend).softmaxGrad(py, dy, dscores, rows, width, attribute(call, 'scale'));
  return out;
}

/** Registers the kernels of this file. */
export function registerMaskedSoftmax(): void {
  registerWasmKernel('GsvaMaskedSoftmax', maskedSoftmax);
  registerWasmKernel('GsvaMaskedSoftmaxGrad', maskedSoftmaxGrad);
}
