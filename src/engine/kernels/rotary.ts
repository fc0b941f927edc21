/** Kernel of the rotary position embedding; its gradient is the transposed rotation. */
import { vectorKernels } from '../simd/vector-kernels.js';
import type * as tf from '../tf.js';
import { type KernelCall, attribute, input, makeFloats, pointer, registerWasmKernel } from '../wasm-heap.js';

const FLOAT_BYTES = 4;

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

/** Registers the kernels of this file. */
export function registerRotary(): void {
  registerWasmKernel('GsvaRotary', rotate);
}
