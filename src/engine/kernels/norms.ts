/** Kernels of layerNorm and rmsNorm over the last axis, with their gradients. Means are recomputed, not kept. */
import * as tf from '../tf.js';
import type { KernelCall } from '../wasm-heap.js';
import { attribute, floatView, input, makeFloats, registerWasmKernel, rowsOf, run } from '../wasm-heap.js';
import { columnSums, rowSquares, rowSum } from './rows.js';

/** y = (x - mean) · r · gamma + beta with r = 1/sqrt(variance + eps); without `beta`: y = x · r · gamma, mean 0. */
function normalise(call: KernelCall, centred: boolean): tf.TensorInfo {
  const { backend } = call;
  const xInfo = input(call, 'x');
  const eps = attribute(call, 'eps');
  const { rows, width } = rowsOf(xInfo.shape);
  const out = makeFloats(backend, xInfo.shape);
  const x = floatView(backend, xInfo);
  const gamma = floatView(backend, input(call, 'gamma'));
  const beta = centred ? floatView(backend, input(call, 'beta')) : new Float32Array(width);
  const y = floatView(backend, out);
  for (let row = 0; row < rows; row++) {
    const start = row * width;
    const mean = centred ? rowSum(x, start, width) / width : 0;
    const r = 1 / Math.sqrt(rowSquares(x, start, width, mean) / width + eps);
    for (let j = 0; j < width; j++) {
      y[start + j] = ((x[start + j] as number) - mean) * r * (gamma[j] as number) + (beta[j] as number);
    }
  }
  return out;
}

/** dx = r · (g - mean(g) - x̂ · mean(g · x̂)) with g = dy · gamma, x̂ = (x - mean) · r; rmsNorm has no mean(g). */
function normaliseGradX(call: KernelCall, centred: boolean): tf.TensorInfo {
  const { backend } = call;
  const xInfo = input(call, 'x');
  const eps = attribute(call, 'eps');
  const { rows, width } = rowsOf(xInfo.shape);
  const out = makeFloats(backend, xInfo.shape);
  const x = floatView(backend, xInfo);
  const dy = floatView(backend, input(call, 'dy'));
  const gamma = floatView(backend, input(call, 'gamma'));
  const dx = floatView(backend, out);
  for (let row = 0; row < rows; row++) {
    const start = row * width;
    const mean = centred ? rowSum(x, start, width) / width : 0;
    const r = 1 / Math.sqrt(rowSquares(x, start, width, mean) / width + eps);
    let [sum0, sum1, dot0, dot1] = [0, 0, 0, 0];
    let j = 0;
    for (; j + 1 < width; j += 2) {
      const g0 = (dy[start + j] as number) * (gamma[j] as number);
      const g1 = (dy[start + j + 1] as number) * (gamma[j + 1] as number);
      sum0 += g0;
      sum1 += g1;
      dot0 += g0 * ((x[start + j] as number) - mean);
      dot1 += g1 * ((x[start + j + 1] as number) - mean);
    }
    if (j < width) {
      const g = (dy[start + j] as number) * (gamma[j] as number);
      sum0 += g;
      dot0 += g * ((x[start + j] as number) - mean);
    }
    const shift = centred ? (sum0 + sum1) / width : 0;
    const slope = ((dot0 + dot1) * r * r) / width;
    for (let i = 0; i < width; i++) {
      const g = (dy[start + i] as number) * (gamma[i] as number);
      dx[start + i] = r * (g - shift - ((x[start + i] as number) - mean) * slope);
    }
  }
  return out;
}

/** dgamma = Σ over rows of dy · x̂. */
function normaliseGradGamma(call: KernelCall, centred: boolean): tf.TensorInfo {
  const { backend } = call;
  const xInfo = input(call, 'x');
  const eps = attribute(call, 'eps');
  const { rows, width } = rowsOf(xInfo.shape);
  const out = makeFloats(backend, [width]);
  const x = floatView(backend, xInfo);
  const dy = floatView(backend, input(call, 'dy'));
  const sums = new Float64Array(width);
  for (let row = 0; row < rows; row++) {
    const start = row * width;
    const mean = centred ? rowSum(x, start, width) / width : 0;
    const r = 1 / Math.sqrt(rowSquares(x, start, width, mean) / width + eps);
    for (let j = 0; j < width; j++) {
      const value = (dy[start + j] as number) * ((x[start + j] as number) - mean) * r;
      sums[j] = (sums[j] as number) + value;
    }
  }
  floatView(backend, out).set(sums);
  return out;
}

/** Σ over all axes but the last; the gradient of a bias. */
function columnSum(call: KernelCall): tf.TensorInfo {
  const xInfo = input(call, 'x');
  const { rows, width } = rowsOf(xInfo.shape);
  const out = makeFloats(call.backend, [width]);
  columnSums(floatView(call.backend, xInfo), rows, width, floatView(call.backend, out));
  return out;
}

/** Registers the kernels and gradients of this file. */
export function registerNorms(): void {
  registerWasmKernel('GsvaColumnSum', columnSum);
  for (const [name, centred] of [
    ['GsvaLayerNorm', true],
    ['GsvaRmsNorm', false],
  ] as const) {
    registerWasmKernel(name, (call) => normalise(call, centred));
    registerWasmKernel(`${name}GradX`, (call) => normaliseGradX(call, centred));
    registerWasmKernel(`${name}GradGamma`, (call) => normaliseGradGamma(call, centred));
    tf.registerGradient({
      kernelName: name,
      inputsToSave: ['x', 'gamma'],
      gradFunc: (dyOrDys, saved, attrs) => {
        const dy = dyOrDys as tf.Tensor;
        const [x, gamma] = saved as [tf.Tensor, tf.Tensor];
        const eps = attrs.eps as number;
        const gradients: Record<string, () => tf.Tensor> = {
          x: () => run(`${name}GradX`, { dy, x, gamma }, { eps }),
          gamma: () => tf.reshape(run(`${name}GradGamma`, { dy, x }, { eps }), gamma.shape),
        };
        if (centred) gradients.beta = () => tf.reshape(run('GsvaColumnSum', { x: dy }), gamma.shape);
        return gradients;
      },
    });
  }
}
