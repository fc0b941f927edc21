/** Kernels around a matrix product: linear, and tfjs's fused matMul with correct broadcasting. */
import { vectorKernels } from '../simd/vector-kernels.js';
import * as tf from '../tf.js';
import {
  type KernelCall,
  type WasmBackend,
  floatView,
  input,
  pointer,
  registerWasmKernel,
  rowsOf,
  withShape,
} from '../wasm-heap.js';
import { type MatMulEngine, matMul } from './matmul.js';

function linear(engine: MatMulEngine, call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const x = input(call, 'x');
  const w = input(call, 'w');
  const { rows, width } = rowsOf(x.shape);
  const out = matMul(engine, backend, withShape(x, [rows, width]), w, false, false);
  const { bias } = call.inputs;
  if (bias !== undefined) {
    vectorKernels(backend).addRow(pointer(backend, out), pointer(backend, bias), rows, w.shape[1] as number);
  }
  return { ...out, shape: [...x.shape.slice(0, -1), w.shape[1] as number] };
}

/** dx = dy · wᵀ. */
function linearGradX(engine: MatMulEngine, call: KernelCall): tf.TensorInfo {
  const dy = input(call, 'dy');
  const w = input(call, 'w');
  const { rows, width } = rowsOf(dy.shape);
  const out = matMul(engine, call.backend, withShape(dy, [rows, width]), w, false, true);
  return { ...out, shape: [...dy.shape.slice(0, -1), w.shape[0] as number] };
}

/** dw = xᵀ · dy, over all rows. */
function linearGradW(engine: MatMulEngine, call: KernelCall): tf.TensorInfo {
  const dy = input(call, 'dy');
  const x = input(call, 'x');
  const left = rowsOf(x.shape);
  const right = rowsOf(dy.shape);
  const xRows = withShape(x, [left.rows, left.width]);
  return matMul(engine, call.backend, xRows, withShape(dy, [right.rows, right.width]), true, false);
}

const activations: Readonly<Record<string, ((x: number, alpha: number) => number) | undefined>> = {
  linear: (x) => x,
  relu: (x) => (x < 0 ? 0 : x),
  relu6: (x) => (x < 0 ? 0 : x > 6 ? 6 : x),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  elu: (x) => (x < 0 ? Math.expm1(x) : x),
  leakyrelu: (x, alpha) => (x < 0 ? alpha * x : x),
};

interface FusedAttributes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly activation: string;
  readonly leakyreluAlpha?: number;
}

/** tfjs's _FusedMatMul: activation(op(a) · op(b) + bias), bias and prelu weights broadcast to the product. */
function fusedMatMul(engine: MatMulEngine, call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const { transposeA, transposeB, activation, leakyreluAlpha = 0.2 } = call.attrs as unknown as FusedAttributes;
  const out = matMul(engine, backend, input(call, 'a'), input(call, 'b'), transposeA, transposeB);
  const bias = present(call.inputs.bias);
  const slopes = present(call.inputs.preluActivationWeights);
  if (bias !== null) {
    const added = broadcast(backend, bias, out.shape);
    const values = floatView(backend, out);
    for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) + (added[i % added.length] as number);
  }
  if (activation === 'prelu') {
    if (slopes === null) throw new Error('fused.matMul with activation prelu needs preluActivationWeights.');
    const factors = broadcast(backend, slopes, out.shape);
    const values = floatView(backend, out);
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      if (value < 0) values[i] = value * (factors[i % factors.length] as number);
    }
    return out;
  }
  const apply = activations[activation];
  if (apply === undefined) {
    throw new Error(`fused.matMul knows prelu, ${Object.keys(activations).join(', ')}, but not '${activation}'.`);
  }
  if (activation !== 'linear') {
    const values = floatView(backend, out);
    for (let i = 0; i < values.length; i++) values[i] = apply(values[i] as number, leakyreluAlpha);
  }
  return out;
}

function present(tensor: tf.TensorInfo | null | undefined): tf.TensorInfo | null {
  return tensor ?? null;
}

/** A tensor's numbers as they repeat over a shape: the numbers themselves where they follow its last axes. */
function broadcast(backend: WasmBackend, tensor: tf.TensorInfo, shape: readonly number[]): Float32Array {
  const own = [...tensor.shape];
  while (own[0] === 1) own.shift();
  const values = floatView(backend, tensor);
  if (tf.util.arraysEqual(own, shape.slice(shape.length - own.length))) return values;
  const repeated = new Float32Array(tf.util.sizeFromShape([...shape]));
  const strides = tf.util.computeStrides([...shape, 1]);
  const ownStrides = tf.util.computeStrides([...own, 1]);
  for (let i = 0; i < repeated.length; i++) {
    let index = 0;
    for (let axis = 0; axis < own.length; axis++) {
      const outAxis = axis + shape.length - own.length;
      const position = Math.floor(i / (strides[outAxis] as number)) % (shape[outAxis] as number);
      if (own[axis] !== 1) index += position * (ownStrides[axis] as number);
    }
    repeated[i] = values[index] as number;
  }
  return repeated;
}

export function registerLinear(engine: MatMulEngine): void {
  registerWasmKernel('_FusedMatMul', (call) => fusedMatMul(engine, call));
  registerWasmKernel('GsvaLinear', (call) => linear(engine, call));
  registerWasmKernel('GsvaLinearGradX', (call) => linearGradX(engine, call));
  registerWasmKernel('GsvaLinearGradW', (call) => linearGradW(engine, call));
}
