/** The part of tfjs's WebGPUBackend that this project uses. */
import type * as tf from './tf.js';
import type { GpuDevice } from './webgpu-device.js';

interface TensorData {
  /** While they are in memory, the processor's. */
  readonly values: tf.backend_util.TypedArray | null | undefined;
  /** The GPUBuffer; null until the numbers are on the card. */
  resource: object | null;
  /** Whether the buffer is someone else's, who frees it. */
  external?: boolean;
}

/** A shader and how it is run, as the backend wants them. */
export interface WebGpuProgram {
  readonly variableNames: readonly string[];
  readonly outputShape: number[];
  readonly workgroupSize: readonly [number, number, number];
  readonly dispatchLayout: { readonly x: readonly number[] };
  readonly dispatch: readonly [number, number, number];
  /** Distinguishes what `getUserCode` depends on. */
  readonly shaderKey: string;
  /** Adds `uniforms.size`, the number of outputs. */
  readonly size: true;
  getUserCode(): string;
}

export interface WebGpuBackend extends tf.KernelBackend {
  readonly device: GpuDevice;
  /** Buffers by size and use. */
  readonly bufferManager: {
    readonly freeBuffers: ReadonlyMap<string, { readonly size: number; destroy(): void }[]>;
    readonly numBytesUsed: number;
    numBytesAllocated: number;
    numFreeBuffers: number;
  };
  readonly tensorMap: { get(dataId: tf.DataId): TensorData };
  /** Tensors that commands not yet submitted use; freed only afterwards. */
  readonly commandQueueOwnedIds: WeakSet<tf.DataId>;
  readonly commandEncoder: {
    copyBufferToBuffer(from: object, fromOffset: number, to: object, toOffset: number, size: number): void;
  };
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  makeTensorInfo(shape: number[], dtype: tf.DataType, values?: tf.backend_util.TypedArray): tf.TensorInfo;
  uploadToGPU(dataId: tf.DataId): void;
  tensorToBinding(tensor: tf.TensorInfo): object;
  runWebGPUProgram(
    program: WebGpuProgram,
    inputs: tf.TensorInfo[],
    outputDtype: tf.DataType,
    ...more: unknown[]
  ): tf.TensorInfo;
}

/** A kernel's arguments, typed. */
export interface WebGpuCall<Attributes = unknown> {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: Attributes;
  readonly backend: WebGpuBackend;
}
export type WebGpuKernel<Attributes = unknown> = (call: WebGpuCall<Attributes>) => tf.TensorInfo;
