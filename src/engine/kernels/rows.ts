/**
 * Kernels over numbers or rows of the last axis: those that are one call of a vector kernel, masked softmax, rotary, and
 * sums over rows (gradients of biases and of the norms' factors; means are recomputed, not kept).
 */
import { type VectorKernels, vectorKernels } from '../simd/vector-kernels.js';
import * as tf from '../tf.js';
import { FLOAT_BYTES, type KernelCall, rowsOf } from '../wasm-heap.js';
import type { WasmKernel, WasmKernels } from './matmul.js';

/** Rows per sum in float32; these sums are added up in float64. */
const ROWS_PER_SUM = 256;

/** The arguments of a vector kernel behind its pointers. */
type Counts = (shape: readonly number[], call: KernelCall) => number[];
const perNumber: Counts = (shape) => [tf.util.sizeFromShape([...shape])];
const perRow =
  (factor: string): Counts =>
  (shape, call) => {
    const { rows, width } = rowsOf(shape);
    return [rows, width, call.attribute(factor)];
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

function vectorCall(name: keyof VectorKernels, names: readonly string[], counts: Counts): WasmKernel {
  return (call) => {
    const { shape } = call.input(names[0] as string);
    const out = call.output(shape);
    const pointers = [...names, out].map((tensor) => call.pointer(tensor));
    vectorKernels(call.backend)[name](...pointers, ...counts(shape, call));
    return out;
  };
}

/** Sums of x [..., width] over its rows: a vector kernel of (inputs…, sums, rows, width, factors…) adds a group's. */
function sumOverRows(name: keyof VectorKernels, names: readonly string[], factor: string | null): WasmKernel {
  return (call) => {
    const { rows, width } = rowsOf(call.input('x').shape);
    const out = call.output([width]);
    const [partial, sums] = [call.floats(out), call.pointer(out)];
    const pointers = names.map((input) => call.pointer(input));
    const factors = factor === null ? [] : [call.attribute(factor)];
    const add = vectorKernels(call.backend)[name];
    const totals = new Float64Array(width);
    for (let first = 0; first < rows; first += ROWS_PER_SUM) {
      partial.fill(0);
      const group = pointers.map((pointer) => pointer + first * width * FLOAT_BYTES);
      add(...group, sums, Math.min(ROWS_PER_SUM, rows - first), width, ...factors);
      for (let j = 0; j < width; j++) totals[j] = (totals[j] as number) + (partial[j] as number);
    }
    partial.set(totals);
    return out;
  };
}

export const ROW_KERNELS: WasmKernels = {
  ...Object.fromEntries(
    CALLS.map(([kernel, name, inputs, counts]) => [kernel, vectorCall(name, inputs.split(' '), counts)]),
  ),
  GsvaColumnSum: sumOverRows('columnSum', ['x'], null),
  GsvaLayerNormGradGamma: sumOverRows('layerNormGradGamma', ['x', 'dy'], 'eps'),
  GsvaRmsNormGradGamma: sumOverRows('rmsNormGradGamma', ['x', 'dy'], 'eps'),

  /** y = softmax(scale · scores) over the first `visible` keys of each row, 0 behind. */
  GsvaMaskedSoftmax: (call) => {
    const [batch, heads, queries, keys] = call.input('scores').shape as [number, number, number, number];
    const [scale, offset] = [call.attribute('scale'), call.attribute('causalOffset')];
    const out = call.output([batch, heads, queries, keys]);
    const [scores, y, values] = [call.pointer('scores'), call.pointer(out), call.floats(out)];
    const lengths = call.inputs.keyLengths === undefined ? null : call.integers('keyLengths');
    const { softmaxRow } = vectorKernels(call.backend);
    const rowsPerItem = heads * queries;
    for (let row = 0; row < batch * rowsPerItem; row++) {
      const length = lengths === null ? keys : (lengths[Math.floor(row / rowsPerItem)] as number);
      const visible = Math.max(0, Math.min(keys, length, (row % queries) + offset + 1));
      const start = row * keys;
      if (visible > 0) softmaxRow(scores + start * FLOAT_BYTES, y + start * FLOAT_BYTES, visible, scale);
      if (visible < keys) values.fill(0, start + visible, start + keys);
    }
    return out;
  },

  /** y = x · cos + rotateHalf(x) · sin over the last axis of [B, H, T, D]; direction -1: transposed, for gradients. */
  GsvaRotary: (call) => {
    const direction = call.attribute('direction');
    const [batch, heads, length, width] = call.input('x').shape as [number, number, number, number];
    const out = call.output([batch, heads, length, width]);
    const [x, y, cos, sin] = [call.pointer('x'), call.pointer(out), call.pointer('cos'), call.pointer('sin')];
    const { rotaryRow } = vectorKernels(call.backend);
    const half = width / 2;
    // The transposed map meets the two halves of `sin` in the other order.
    const [sinFirst, sinSecond] = direction === 1 ? [sin, sin + half * FLOAT_BYTES] : [sin + half * FLOAT_BYTES, sin];
    for (let row = 0; row < batch * heads * length; row++) {
      const start = row * width * FLOAT_BYTES;
      const table = (row % length) * width * FLOAT_BYTES;
      rotaryRow(x + start, cos + table, sinFirst + table, sinSecond + table, y + start, half, direction);
    }
    return out;
  },
};
