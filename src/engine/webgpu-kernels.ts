/** Kernels that the WebGPU backend computes too inexactly, as shaders of our own. */
import * as tf from './tf.js';
import { replaceKernel } from './wasm-heap.js';
import type { GpuDevice } from './webgpu-device.js';

const WORKGROUP = 128;

/**
 * WGSL's sin and cos may be off by 2^-11, and are on some cards (SwiftShader: 2e-4); position encodings need 1e-6.
 * Cody and Waite: x less the nearest multiple q of π/2, which is subtracted in three parts so that q times a part is
 * exact; then the polynomials of the Cephes library (sinf, cosf) on [-π/4, π/4]. Good to 1e-7 for |x| up to some 1e4.
 */
const SINE_AND_COSINE = `
  fn sineAndCosine(x : f32, quarter : i32) -> f32 {
    let q = round(x * 0.636619772);
    let r = ((x - q * 1.5703125) - q * 4.837512969970703125e-4) - q * 7.54978995489188216e-8;
    let z = r * r;
    let s = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
    let c = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0;
    let turn = (i32(q) + quarter) & 3;
    let magnitude = select(s, c, (turn & 1) == 1);
    return select(magnitude, -magnitude, turn >= 2);
  }`;

/** A shader as the backend takes it. */
export class ElementwiseProgram {
  readonly variableNames = ['A'];
  readonly workgroupSize = [WORKGROUP, 1, 1] as const;
  readonly dispatchLayout: { readonly x: readonly number[] };
  readonly dispatch: readonly [number, number, number];
  /** Distinguishes what `getUserCode` depends on. */
  readonly shaderKey: string;
  /** Adds `uniforms.size`, the number of outputs. */
  readonly size = true;

  /** @param expression WGSL of `a`; @param functions WGSL that it calls */
  constructor(
    readonly outputShape: number[],
    private readonly expression: string,
    private readonly functions = '',
  ) {
    this.dispatchLayout = { x: outputShape.map((_, axis) => axis) };
    this.dispatch = [Math.ceil(tf.util.sizeFromShape(outputShape) / WORKGROUP), 1, 1];
    this.shaderKey = `gsva_${expression}`;
  }

  getUserCode(): string {
    return `${this.functions}
      fn main(index : i32) {
        if (index < uniforms.size) {
          let a = getAByOutputIndex(index);
          setOutputAtIndex(index, ${this.expression});
        }
      }`;
  }
}

function exactSine(quarter: 0 | 1): WebGpuKernel {
  return ({ inputs, backend }: WebGpuCall) => {
    const x = inputs['x'] as tf.TensorInfo;
    const program = new ElementwiseProgram(x.shape, `sineAndCosine(a, ${quarter})`, SINE_AND_COSINE);
    return backend.runWebGPUProgram(program, [x], 'float32');
  };
}

/** Replaces the backend's own kernel. */
export function registerWebGpuKernel<Attributes>(name: string, kernel: WebGpuKernel<Attributes>): void {
  replaceKernel(name, 'webgpu', kernel as unknown as tf.KernelFunc);
}

export function registerWebGpuKernels(): void {
  registerWebGpuKernel('Sin', exactSine(0));
  registerWebGpuKernel('Cos', exactSine(1));
}

interface TensorData {
  /** While they are in memory, the processor's. */
  readonly values: tf.backend_util.TypedArray | null | undefined;
  /** The GPUBuffer; null until the numbers are on the card. */
  resource: object | null;
  /** Whether another owner frees the buffer. */
  external?: boolean;
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
    program: ElementwiseProgram,
    inputs: tf.TensorInfo[],
    outputDtype: tf.DataType,
    ...more: unknown[]
  ): tf.TensorInfo;
}

export interface WebGpuCall<Attributes = unknown> {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: Attributes;
  readonly backend: WebGpuBackend;
}
export type WebGpuKernel<Attributes = unknown> = (call: WebGpuCall<Attributes>) => tf.TensorInfo;
