/**
 * Kernels that tfjs's WASM backend has, but which copy more than they must. Identity copies its input, and the tape makes
 * one of every tensor that a gradient needs; here it shares the memory, as Reshape does. Slice copies its whole input out
 * of the heap to read a part of it, Split once for every part; here they read where the numbers lie.
 */
import * as tf from '../tf.js';
import { input, type KernelCall, offsetOf, registerWasmKernel } from '../wasm-heap.js';

function identity(call: KernelCall): tf.TensorInfo {
  const { dataId, shape, dtype } = input(call, 'x');
  call.backend.incRef(dataId);
  return { dataId, shape, dtype };
}

function slice(call: KernelCall): tf.TensorInfo {
  const x = input(call, 'x');
  const { begin, size } = call.attrs as unknown as { begin: number | number[]; size: number | number[] };
  const [from, sizes] = tf.slice_util.parseSliceParams(x, begin, size) as [number[], number[]];
  tf.slice_util.assertParamsValid(x, from, sizes);
  return part(call, x, from, sizes);
}

function splitV(call: KernelCall): tf.TensorInfo[] {
  const x = input(call, 'x');
  const { numOrSizeSplits, axis } = call.attrs as unknown as { numOrSizeSplits: number | number[]; axis: number };
  const parsedAxis = axis < 0 ? axis + x.shape.length : axis;
  const lengths = tf.backend_util.prepareSplitSize(x, numOrSizeSplits, parsedAxis);
  let start = 0;
  return lengths.map((length) => {
    const from = x.shape.map((_, axisHere) => (axisHere === parsedAxis ? start : 0));
    const sizes = x.shape.map((size, axisHere) => (axisHere === parsedAxis ? length : size));
    start += length;
    return part(call, x, from, sizes);
  });
}

/** Copies runs of neighbouring numbers: the trailing axes that are taken whole, with the one before them. */
function part({ backend }: KernelCall, x: tf.TensorInfo, from: readonly number[], sizes: readonly number[]) {
  const out = backend.makeOutput([...sizes], x.dtype);
  const count = tf.util.sizeFromShape([...sizes]);
  if (count === 0) return out;
  let inner = Math.max(0, x.shape.length - 1);
  while (inner > 0 && sizes[inner] === x.shape[inner]) inner--;
  const strides = [...tf.util.computeStrides(x.shape), 1].map((stride) => stride * tf.util.bytesPerElement(x.dtype));
  const stride = (axis: number): number => strides[axis] ?? 1;
  const run = (sizes[inner] ?? 1) * stride(inner);
  const heap = backend.wasm.HEAPU8;
  let to = offsetOf(backend, out);
  const copy = (axis: number, offset: number): void => {
    const start = offset + (from[axis] ?? 0) * stride(axis);
    if (axis === inner) {
      heap.copyWithin(to, start, start + run);
      to += run;
      return;
    }
    for (let i = 0; i < (sizes[axis] ?? 1); i++) copy(axis + 1, start + i * stride(axis));
  };
  copy(0, offsetOf(backend, x));
  return out;
}

export function registerSharing(): void {
  registerWasmKernel('Identity', identity);
  registerWasmKernel('Slice', slice);
  registerWasmKernel('SplitV', splitV);
}
