/**
 * Direct access to the numbers of tensors on the WASM backend.
 *
 * A view is valid until the next allocation: the heap may grow, and growing replaces its ArrayBuffer. Kernels
 * therefore make their outputs first and take their views afterwards.
 */
import * as tf from './tf.js';

/** What the WASM backend keeps about one tensor. */
interface WasmTensorData {
  readonly id: number;
  readonly memoryOffset: number | null;
  readonly shape: number[];
  readonly dtype: tf.DataType;
}

/** The part of tfjs's BackendWasm that kernels use. */
export interface WasmBackend extends tf.KernelBackend {
  readonly wasm: {
    readonly HEAPU8: Uint8Array<ArrayBuffer>;
    /** The module's exports, its memory among them. */
    readonly asm: Readonly<Record<string, unknown>>;
    readonly tfjs: {
      registerTensor(id: number, size: number, memoryOffset: number): void;
      disposeData(id: number): void;
    };
    cwrap(name: string, result: string | null, parameters: string[]): (...values: unknown[]) => void;
  };
  readonly dataIdMap: {
    get(dataId: tf.DataId): WasmTensorData;
    delete(dataId: tf.DataId): boolean;
  };
  makeOutput(shape: number[], dtype: tf.DataType, memoryOffset?: number): tf.TensorInfo;
}

/** The backend in use when it is the WASM one, else null. */
export function currentWasmBackend(): WasmBackend | null {
  return tf.getBackend() === 'wasm' ? (tf.backend() as WasmBackend) : null;
}

/** A new tensor with undefined content. */
export function makeFloats(backend: WasmBackend, shape: readonly number[]): tf.TensorInfo {
  return backend.makeOutput([...shape], 'float32');
}

/** Byte offset of the first number of a float32 tensor on the heap. */
export function pointer(backend: WasmBackend, tensor: tf.TensorInfo): number {
  if (tensor.dtype !== 'float32') throw new Error(`A kernel was given ${tensor.dtype} numbers instead of float32.`);
  return offsetOf(backend, tensor);
}

/** Byte offset of a tensor's first number on the heap. */
export function offsetOf(backend: WasmBackend, tensor: tf.TensorInfo): number {
  return backend.dataIdMap.get(tensor.dataId).memoryOffset ?? 0;
}

/** The tensor's numbers where they lie; valid until the next allocation. */
export function floatView(backend: WasmBackend, tensor: tf.TensorInfo): Float32Array {
  if (tensor.dtype !== 'float32') throw new Error(`A kernel was given ${tensor.dtype} numbers instead of float32.`);
  return new Float32Array(backend.wasm.HEAPU8.buffer, offsetOf(backend, tensor), tf.util.sizeFromShape(tensor.shape));
}

/** The tensor's int32 numbers where they lie; valid until the next allocation. */
export function intView(backend: WasmBackend, tensor: tf.TensorInfo): Int32Array {
  if (tensor.dtype !== 'int32') throw new Error(`A kernel was given ${tensor.dtype} numbers instead of int32.`);
  return new Int32Array(backend.wasm.HEAPU8.buffer, offsetOf(backend, tensor), tf.util.sizeFromShape(tensor.shape));
}

/** The same numbers under another shape; owns nothing. */
export function withShape(tensor: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo {
  return { dataId: tensor.dataId, shape: [...shape], dtype: tensor.dtype };
}

/**
 * Tells the backend that a tensor's numbers were changed in place. XNNPACK packs the weights of a product or a
 * convolution once and keeps them under the tensor's id; registering the id anew drops the stale copy.
 */
export function announceChange(backend: WasmBackend, tensor: tf.TensorInfo): void {
  const { id, memoryOffset } = backend.dataIdMap.get(tensor.dataId);
  backend.wasm.tfjs.disposeData(id);
  backend.wasm.tfjs.registerTensor(id, tf.util.sizeFromShape(tensor.shape), memoryOffset ?? 0);
}

/** The arguments of one of our kernels, typed. */
export interface KernelCall {
  readonly backend: WasmBackend;
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: Readonly<Record<string, number>>;
}

/** An input that the operation always passes. */
export function input(call: KernelCall, name: string): tf.TensorInfo {
  const tensor = call.inputs[name];
  if (tensor === undefined) throw new Error(`The kernel was called without its input '${name}'.`);
  return tensor;
}

/** A numeric attribute that the operation always passes. */
export function attribute(call: KernelCall, name: string): number {
  const value = call.attrs[name];
  if (value === undefined) throw new Error(`The kernel was called without its attribute '${name}'.`);
  return value;
}

/** A backend's kernel, undefined where it has none (tfjs's own types say that it always has). */
export function findKernel(name: string, backend: string): tf.KernelConfig | undefined {
  return tf.getKernel(name, backend);
}

/** Registers a kernel for the WASM backend, in place of tfjs's own where there is one. */
export function registerWasmKernel(name: string, kernel: (call: KernelCall) => tf.TensorInfo | tf.TensorInfo[]): void {
  if (findKernel(name, 'wasm') !== undefined) tf.unregisterKernel(name, 'wasm');
  tf.registerKernel({ kernelName: name, backendName: 'wasm', kernelFunc: kernel as unknown as tf.KernelFunc });
}

/** Splits a shape into rows of its last axis. */
export function rowsOf(shape: readonly number[]): { rows: number; width: number } {
  const width = shape[shape.length - 1] ?? 1;
  return { rows: tf.util.sizeFromShape(shape.slice(0, -1)), width };
}
