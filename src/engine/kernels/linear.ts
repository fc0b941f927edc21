/** Kernels of a matrix product: matMul, linear, and tfjs's fused matMul with correct broadcasting. */
import { vectorKernels } from '../simd/vector-kernels.js';
import * as tf from '../tf.js';
import { asRows, floatView, rowsOf, type WasmBackend } from '../wasm-heap.js';
import { matMul, type WasmKernels } from './matmul.js';

const activations: Readonly<Record<string, ((x: number, alpha: number) => number) | undefined>> = {
  linear: (x) => x,
  relu: (x) => (x < 0 ? 0 : x),
  relu6: (x) => (x < 0 ? 0 : x > 6 ? 6 : x),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  elu: (x) => (x < 0 ? Math.expm1(x) : x),
  leakyrelu: (x, alpha) => (x < 0 ? alpha * x : x),
};

interface MatMulAttributes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

interface FusedAttributes extends MatMulAttributes {
  readonly activation: string;
  readonly leakyreluAlpha?: number;
}

export const LINEAR_KERNELS: WasmKernels = {
  BatchMatMul: (call, engine) => {
    const { transposeA, transposeB } = call.attrs as unknown as MatMulAttributes;
    return matMul(engine, call.backend, call.input('a'), call.input('b'), transposeA, transposeB);
  },

  GsvaLinear: (call, engine) => {
    const { backend } = call;
    const [x, w] = [call.input('x'), call.input('w')];
    const width = w.shape[1] as number;
    const out = matMul(engine, backend, asRows(x), w, false, false);
    if (call.inputs.bias !== undefined) {
      vectorKernels(backend).addRow(call.pointer(out), call.pointer('bias'), rowsOf(x.shape).rows, width);
    }
    return { ...out, shape: [...x.shape.slice(0, -1), width] };
  },

  /** dx = dy · wᵀ. */
  GsvaLinearGradX: (call, engine) => {
    const [dy, w] = [call.input('dy'), call.input('w')];
    const out = matMul(engine, call.backend, asRows(dy), w, false, true);
    return { ...out, shape: [...dy.shape.slice(0, -1), w.shape[0] as number] };
  },

  /** dw = xᵀ · dy, over all rows. */
  GsvaLinearGradW: (call, engine) =>
    matMul(engine, call.backend, asRows(call.input('x')), asRows(call.input('dy')), true, false),

  /** tfjs's _FusedMatMul: activation(op(a) · op(b) + bias), bias and prelu weights broadcast to the product. */
  _FusedMatMul: (call, engine) => {
    const { backend } = call;
    const { transposeA, transposeB, activation, leakyreluAlpha = 0.2 } = call.attrs as unknown as FusedAttributes;
    const out = matMul(engine, backend, call.input('a'), call.input('b'), transposeA, transposeB);
    const { bias, preluActivationWeights: slopes } = call.inputs as Readonly<Record<string, tf.TensorInfo | null>>;
    const values = floatView(backend, out);
    if (bias) {
      const added = broadcast(backend, bias, out.shape);
      for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) + (added[i % added.length] as number);
    }
    if (activation === 'prelu') {
      if (!slopes) throw new Error('fused.matMul with activation prelu needs preluActivationWeights.');
      const factors = broadcast(backend, slopes, out.shape);
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
      for (let i = 0; i < values.length; i++) values[i] = apply(values[i] as number, leakyreluAlpha);
    }
    return out;
  },
};

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
