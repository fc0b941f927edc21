/** Kernels over numbers or rows of the last axis: those that are one call of a vector kernel, masked softmax, rotary. */
import { type VectorKernels, vectorKernels } from '../simd/vector-kernels.js';
import * as tf from '../tf.js';
import {
  attribute,
  floatView,
  input,
  intView,
  type KernelCall,
  makeFloats,
  pointer,
  registerWasmKernel,
  rowsOf,
} from '../wasm-heap.js';

const FLOAT_BYTES = 4;

/** The arguments of a vector kernel behind its pointers. */
type Counts = (shape: readonly number[], call: KernelCall) => number[];
const perNumber: Counts = (shape) => [tf.util.sizeFromShape([...shape])];
const perRow =
  (factor: string): Counts =>
  (shape, call) => {
    const { rows, width } = rowsOf(shape);
    return [rows, width, attribute(call, factor)];
  };

/** Kernels with a result of the first input's shape: vector kernel of (inputs…, result, counts…). */
const CALLS: readonly (readonly [kernel: string, name: keyof VectorKernels, inputs: string, counts: Counts])[] = [
  ['GsvaGelu', 'gelu', 'x', perNumber],
  ['GsvaGeluGrad', 'geluGrad', 'x dy', perNumber],
  ['GsvaQuickGelu', 'quickGelu', 'x', perNumber],
  ['GsvaQuickGeluGrad', 'quickGeluGrad', 'x dy', perNumber],
  ['GsvaSilu', 'silu', 'x', perNumber],
  ['GsvaSiluGrad', 'siluGrad', 'x dy', perNumber],
  ['GsvaSiluMul', 'siluMul', 'gate up', perNumber],
  ['GsvaSiluMulGradGate', 'siluMulGradGate', 'gate up dy', perNumber],
  ['GsvaLayerNorm', 'layerNorm', 'x gamma beta', perRow('eps')],
  ['GsvaLayerNormGradX', 'layerNormGradX', 'x gamma dy', perRow('eps')],
  ['GsvaRmsNorm', 'rmsNorm', 'x gamma', perRow('eps')],
  ['GsvaRmsNormGradX', 'rmsNormGradX', 'x gamma dy', perRow('eps')],
  // Hidden keys have y = 0.
  ['GsvaMaskedSoftmaxGrad', 'softmaxGrad', 'y dy', perRow('scale')],
];

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

/**
 * y = x · cos + rotateHalf(x) · sin over the last axis of x [B, H, T, D].
 * direction 1: forward; -1: the transposed map, for gradients.
 */
function rotate(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const x = input(call, 'x');
  const direction = attribute(call, 'direction');
  const [batch, heads, length, width] = x.shape as [number, number, number, number];
  const out = makeFloats(backend, x.shape);
  const [px, y] = [pointer(backend, x), pointer(backend, out)];
  const [cos, sin] = [pointer(backend, input(call, 'cos')), pointer(backend, input(call, 'sin'))];
  const { rotaryRow } = vectorKernels(backend);
  const half = width / 2;
  // The transposed map meets the two halves of `sin` in the other order.
  const [sinFirst, sinSecond] = direction === 1 ? [sin, sin + half * FLOAT_BYTES] : [sin + half * FLOAT_BYTES, sin];
  for (let row = 0; row < batch * heads * length; row++) {
    const start = row * width * FLOAT_BYTES;
    const table = (row % length) * width * FLOAT_BYTES;
    rotaryRow(px + start, cos + table, sinFirst + table, sinSecond + table, y + start, half, direction);
  }
  return out;
}

export function registerRows(): void {
  for (const [kernel, name, names, counts] of CALLS) {
    registerWasmKernel(kernel, (call) => {
      const inputs = names.split(' ').map((each) => input(call, each));
      const shape = inputs[0]?.shape ?? [];
      const out = makeFloats(call.backend, shape);
      const pointers = [...inputs, out].map((tensor) => pointer(call.backend, tensor));
      vectorKernels(call.backend)[name](...pointers, ...counts(shape, call));
      return out;
    });
  }
  registerWasmKernel('GsvaMaskedSoftmax', maskedSoftmax);
  registerWasmKernel('GsvaRotary', rotate);
}
