/** Kernel of maskedSoftmax and its gradient. Hidden keys are never read, only written as zeros. */
import * as tf from '../tf.js';
import type { KernelCall } from '../wasm-heap.js';
import { attribute, floatView, input, intView, makeFloats, registerWasmKernel, run } from '../wasm-heap.js';
import { fastExp } from './fast-math.js';

/** y = softmax(scale · scores) over the first `visible` keys of each row, 0 behind. */
function maskedSoftmax(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const scoresInfo = input(call, 'scores');
  const lengthsInfo = call.inputs.keyLengths;
  const scale = attribute(call, 'scale');
  const offset = attribute(call, 'causalOffset');
  const [batch, heads, queries, keys] = scoresInfo.shape as [number, number, number, number];
  const out = makeFloats(backend, scoresInfo.shape);
  const scores = floatView(backend, scoresInfo);
  const y = floatView(backend, out);
  const lengths = lengthsInfo === undefined ? null : intView(backend, lengthsInfo);
  const rowsPerItem = heads * queries;
  for (let row = 0; row < batch * rowsPerItem; row++) {
    const length = lengths === null ? keys : (lengths[(row / rowsPerItem) | 0] as number);
    const visible = Math.max(0, Math.min(keys, length, (row % queries) + offset + 1));
    softmaxRow(scores, y, row * keys, visible, scale);
    y.fill(0, row * keys + visible, (row + 1) * keys);
  }
  return out;
}

function softmaxRow(scores: Float32Array, y: Float32Array, start: number, visible: number, scale: number): void {
  const end = start + visible;
  let largest = -Infinity;
  for (let i = start; i < end; i++) {
    const value = scale * (scores[i] as number);
    if (value > largest) largest = value;
  }
  let sum = 0;
  for (let i = start; i < end; i++) {
    const value = fastExp(scale * (scores[i] as number) - largest);
    y[i] = value;
    sum += value;
  }
  const inverse = 1 / sum;
  for (let i = start; i < end; i++) y[i] = (y[i] as number) * inverse;
}

/** dscores = scale · y · (dy - Σ dy · y). Hidden keys have y = 0. */
function maskedSoftmaxGrad(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const yInfo = input(call, 'y');
  const scale = attribute(call, 'scale');
  const keys = yInfo.shape[3] as number;
  const out = makeFloats(backend, yInfo.shape);
  const y = floatView(backend, yInfo);
  const dy = floatView(backend, input(call, 'dy'));
  const dscores = floatView(backend, out);
  for (let start = 0; start < y.length; start += keys) {
    const end = start + keys;
    let [dot0, dot1] = [0, 0];
    let i = start;
    for (; i + 1 < end; i += 2) {
      dot0 += (y[i] as number) * (dy[i] as number);
      dot1 += (y[i + 1] as number) * (dy[i + 1] as number);
    }
    if (i < end) dot0 += (y[i] as number) * (dy[i] as number);
    const dot = dot0 + dot1;
    for (i = start; i < end; i++) dscores[i] = scale * (y[i] as number) * ((dy[i] as number) - dot);
  }
  return out;
}

/** Registers the kernels and gradients of this file. */
export function registerMaskedSoftmax(): void {
  registerWasmKernel('GsvaMaskedSoftmax', maskedSoftmax);
  registerWasmKernel('GsvaMaskedSoftmaxGrad', maskedSoftmaxGrad);
  tf.registerGradient({
    kernelName: 'GsvaMaskedSoftmax',
    outputsToSave: [true],
    gradFunc: (dy, saved, attrs) => ({
      scores: () =>
        run(
          'GsvaMaskedSoftmaxGrad',
          { dy: dy as tf.Tensor, y: saved[0] as tf.Tensor },
          { scale: attrs.scale as number },
        ),
    }),
  });
}
