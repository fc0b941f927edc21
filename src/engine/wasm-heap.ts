/**
 * Direct access to the numbers of tensors on the WASM backend. A view is valid until the next allocation, which may
 * replace the heap's ArrayBuffer. Kernels therefore make their outputs first and take their views afterwards.
 */
import * as tf from './tf.js';

export const FLOAT_BYTES = 4;

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
    get(dataId: tf.DataId): { readonly id: number; readonly memoryOffset: number | null };
    delete(dataId: tf.DataId): boolean;
  };
  makeOutput(shape: number[], dtype: tf.DataType, memoryOffset?: number): tf.TensorInfo;
}

/** The backend in use when it is the WASM one, else null. */
export function currentWasmBackend(): WasmBackend | null {
  return tf.getBackend() === 'wasm' ? (tf.backend() as WasmBackend) : null;
}

export function makeFloats(backend: WasmBackend, shape: readonly number[]): tf.TensorInfo {
  return backend.makeOutput([...shape], 'float32');
}

export function pointer(backend: WasmBackend, tensor: tf.TensorInfo): number {
  if (tensor.dtype !== 'float32') throw new Error(`A kernel was given ${tensor.dtype} numbers instead of float32.`);
  return offsetOf(backend, tensor);
}

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

/** The same numbers under another shape, without ownership. */
export function withShape(tensor: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo {
  return { dataId: tensor.dataId, shape: [...shape], dtype: tensor.dtype };
}

/**
 * Reports a change of a tensor's numbers in place. XNNPACK keeps packed weights under the tensor's id; registering the
 * id once more drops the stale copy.
 */
export function announceChange(backend: WasmBackend, tensor: tf.TensorInfo): void {
  const { id, memoryOffset } = backend.dataIdMap.get(tensor.dataId);
  backend.wasm.tfjs.disposeData(id);
  backend.wasm.tfjs.registerTensor(id, tf.util.sizeFromShape(tensor.shape), memoryOffset ?? 0);
}

/** A call of a kernel; a string names one of its inputs. */
export class KernelCall {
  readonly backend: WasmBackend;
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: Readonly<Record<string, number>>;

  constructor(call: unknown) {
    ({ backend: this.backend, inputs: this.inputs, attrs: this.attrs } = call as KernelCall);
  }

  input(name: string): tf.TensorInfo {
    const tensor = this.inputs[name];
    if (tensor === undefined) throw new Error(`The kernel was called without its input '${name}'.`);
    return tensor;
  }

  attribute(name: string): number {
    const value = this.attrs[name];
    if (value === undefined) throw new Error(`The kernel was called without its attribute '${name}'.`);
    return value;
  }

  /** A new float32 tensor; ends the validity of views. */
  output(shape: readonly number[]): tf.TensorInfo {
    return makeFloats(this.backend, shape);
  }

  pointer(tensor: string | tf.TensorInfo): number {
    return pointer(this.backend, typeof tensor === 'string' ? this.input(tensor) : tensor);
  }

  floats(tensor: string | tf.TensorInfo): Float32Array {
    return floatView(this.backend, typeof tensor === 'string' ? this.input(tensor) : tensor);
  }

  integers(name: string): Int32Array {
    return intView(this.backend, this.input(name));
  }
}

/** A backend's kernel; tfjs's own types omit undefined. */
export function findKernel(name: string, backend: string): tf.KernelConfig | undefined {
  return tf.getKernel(name, backend);
}

/** Registers a kernel in place of a backend's own, where it has one. */
export function replaceKernel(kernelName: string, backendName: string, kernelFunc: tf.KernelFunc): void {
  if (findKernel(kernelName, backendName) !== undefined) tf.unregisterKernel(kernelName, backendName);
  tf.registerKernel({ kernelName, backendName, kernelFunc });
}

export function rowsOf(shape: readonly number[]): { rows: number; width: number } {
  const width = shape[shape.length - 1] ?? 1;
  return { rows: tf.util.sizeFromShape(shape.slice(0, -1)), width };
}

/** [..., D] → [rows, D], without ownership. */
export function asRows(tensor: tf.TensorInfo): tf.TensorInfo {
  const { rows, width } = rowsOf(tensor.shape);
  return withShape(tensor, [rows, width]);
}
