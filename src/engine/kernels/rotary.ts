/** Kernel of the rotary position embedding; its gradient is the transposed rotation. */
import * as tf from '../tf.js';
import type { KernelCall } from '../wasm-heap.js';
import { attribute, floatView, input, makeFloats, registerWasmKernel, run } from '../wasm-heap.js';

/**
 * y = x · cos + rotateHalf(x) · sin over the last axis of x [B, H, T, D].
 * direction 1: forward; -1: the transposed map, for gradients.
 */
function rotate(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const xInfo = input(call, 'x');
  const forward = attribute(call, 'direction') === 1;
  const [batch, heads, length, width] = xInfo.shape as [number, number, number, number];
  const half = width / 2;
  const out = makeFloats(backend, xInfo.shape);
  const x = floatView(backend, xInfo);
  const cos = floatView(backend, input(call, 'cos'));
  const sin = floatView(backend, input(call, 'sin'));
  const y = floatView(backend, out);
  for (let row = 0; row < batch * heads * length; row++) {
    const start = row * width;
    const table = (row % length) * width;
    for (let j = 0; j < half; j++) {
      const first = x[start + j] as number;
      const second = x[start + half + j] as number;
      const sinFirst = sin[table + j] as number;
      const sinSecond = sin[table + half + j] as number;
      const fromSecond = forward ? -second * sinFirst : second * sinSecond;
      const fromFirst = forward ? first * sinSecond : -first * sinFirst;
      y[start + j] = first * (cos[table + j] as number) + fromSecond;
      y[start + half + j] = second * (cos[table + half + j] as number) + fromFirst;
    }
  }
  return out;
}

/** Registers the kernels and gradients of this file. */
export function registerRotary(): void {
  registerWasmKernel('GsvaRotary', rotate);
  tf.registerGradient({
    kernelName: 'GsvaRotary',
    inputsToSave: ['cos', 'sin'],
    gradFunc: (dy, saved) => {
      const [cos, sin] = saved as [tf.Tensor, tf.Tensor];
      return { x: () => run('GsvaRotary', { x: dy as tf.Tensor, cos, sin }, { direction: -1 }) };
    },
  });
}
