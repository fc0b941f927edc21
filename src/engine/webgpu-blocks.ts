/**
 * Weights larger than a shader may bind at once (WebGPU's maxStorageBufferBindingSize: 128 MiB at least; embedding and
 * head of a 7B model are 524 MB). Kernels work on one block of rows after another, each bound as a window of the one
 * buffer, without a copy. Covered are the uses of a weight by model, gradients and optimiser: lookup, matrix products,
 * transposition, sums, elementwise kernels. Activations are not split: too large a one is an error.
 */
import { UserError } from '../errors.js';
import * as tf from './tf.js';
import { findKernel } from './wasm-heap.js';
import {
  ElementwiseProgram,
  type WebGpuBackend,
  type WebGpuCall,
  type WebGpuKernel,
  registerWebGpuKernel,
} from './webgpu-kernels.js';

const BYTES = 4;
/** Windows begin at multiples of this (minStorageBufferOffsetAlignment is at most 256). */
const ALIGNMENT = 256;

const ELEMENTWISE = ['Add', 'Sub', 'Multiply', 'RealDiv', 'Maximum', 'Sqrt', 'Square', 'Neg', 'Cast'];

/** Consecutive rows [begin, end) along the first axis. */
export interface RowBlock {
  readonly begin: number;
  readonly end: number;
}

/** Blocks of rows of at most `limit` bytes that begin where a window may. @throws UserError when no rows fit */
export function rowBlocks(shape: readonly number[], limit: number): RowBlock[] {
  const [rows = 1, ...inner] = shape;
  const rowBytes = BYTES * tf.util.sizeFromShape(inner);
  let step = 1; // rows until the next multiple of ALIGNMENT; a power of two
  while ((step * rowBytes) % ALIGNMENT !== 0) step *= 2;
  const atOnce = Math.floor(limit / (step * rowBytes)) * step;
  if (atOnce === 0) {
    throw new UserError(
      `Computing with the engine webgpu: rows of a tensor [${shape.join(', ')}] are too large for this graphics card, ` +
        `which takes ${limit} bytes at once. Choose another --engine.`,
    );
  }
  const blocks: RowBlock[] = [];
  for (let begin = 0; begin < rows; begin += atOnce) blocks.push({ begin, end: Math.min(rows, begin + atOnce) });
  return blocks;
}

class Blocks {
  /** Windows by their ids. */
  private readonly windows = new WeakMap<tf.DataId, { owner: tf.DataId; offset: number; size: number }>();

  constructor(
    private readonly backend: WebGpuBackend,
    private readonly limit: number,
  ) {
    const tensorToBinding = backend.tensorToBinding.bind(backend);
    const runWebGPUProgram = backend.runWebGPUProgram.bind(backend);
    backend.tensorToBinding = (tensor) => {
      const binding = tensorToBinding(tensor);
      const window = this.windows.get(tensor.dataId);
      return window === undefined ? binding : { ...binding, offset: window.offset, size: window.size };
    };
    backend.runWebGPUProgram = (program, inputs, ...others) => {
      for (const { shape } of [...inputs, { shape: program.outputShape }]) this.check(shape);
      const output = runWebGPUProgram(program, inputs, ...others);
      for (const { dataId } of inputs) {
        const window = this.windows.get(dataId);
        if (window !== undefined) backend.commandQueueOwnedIds.add(window.owner);
      }
      return output;
    };
  }

  isLarge({ shape }: { readonly shape: readonly number[] }): boolean {
    return BYTES * tf.util.sizeFromShape([...shape]) > this.limit;
  }

  private check(shape: readonly number[]): void {
    if (!this.isLarge({ shape })) return;
    throw new UserError(
      `Computing with the engine webgpu: a tensor [${shape.join(', ')}] is too large for this graphics card, which ` +
        `takes ${this.limit} bytes at once. Use smaller batches or images, or choose another --engine.`,
    );
  }

  /** Rows of a tensor: a window of a large one, a copy of another. The caller disposes it, before the tensor. */
  private rows(x: tf.TensorInfo, { begin, end }: RowBlock): tf.TensorInfo {
    const shape = [end - begin, ...x.shape.slice(1)];
    if (!this.isLarge(x)) return this.slice(x, 0, begin, end);
    this.backend.uploadToGPU(x.dataId);
    const rowBytes = BYTES * tf.util.sizeFromShape(x.shape.slice(1));
    const window = this.backend.makeTensorInfo(shape, x.dtype);
    const data = this.backend.tensorMap.get(window.dataId);
    data.resource = this.backend.tensorMap.get(x.dataId).resource;
    data.external = true;
    this.windows.set(window.dataId, { owner: x.dataId, offset: begin * rowBytes, size: (end - begin) * rowBytes });
    return window;
  }

  private slice(x: tf.TensorInfo, axis: number, begin: number, end: number): tf.TensorInfo {
    const begins = x.shape.map((_, i) => (i === axis ? begin : 0));
    const size = x.shape.map((length, i) => (i === axis ? end - begin : length));
    return this.run('Slice', { x }, { begin: begins, size });
  }

  /** Copies numbers of `part` to a place of `whole`; offsets and count in numbers. */
  private copy(part: tf.TensorInfo, from: number, whole: tf.TensorInfo, to: number, count: number): void {
    const { backend } = this;
    const buffers = [part, whole].map(({ dataId }) => {
      backend.uploadToGPU(dataId);
      backend.commandQueueOwnedIds.add(dataId);
      return backend.tensorMap.get(dataId).resource;
    }) as [object, object];
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    backend.commandEncoder.copyBufferToBuffer(buffers[0], from * BYTES, buffers[1], to * BYTES, count * BYTES);
  }

  private assemble(shape: number[], dtype: tf.DataType, make: (block: RowBlock) => tf.TensorInfo): tf.TensorInfo {
    const whole = this.backend.makeTensorInfo(shape, dtype);
    const width = tf.util.sizeFromShape(shape.slice(1));
    for (const block of rowBlocks(shape, this.limit)) {
      const part = make(block);
      this.copy(part, 0, whole, block.begin * width, (block.end - block.begin) * width);
      this.dispose(part);
    }
    return whole;
  }

  /** Results of the blocks of a tensor, added up as they come. */
  private sumOver(x: tf.TensorInfo, make: (rows: tf.TensorInfo, block: RowBlock) => tf.TensorInfo): tf.TensorInfo {
    let sum: tf.TensorInfo | null = null;
    for (const block of rowBlocks(x.shape, this.limit)) {
      const before: tf.TensorInfo | null = sum;
      const rows = this.rows(x, block);
      const part = make(rows, block);
      sum = before === null ? part : this.run('Add', { a: before, b: part });
      this.dispose(rows, ...(before === null ? [] : [before, part]));
    }
    return sum as unknown as tf.TensorInfo;
  }

  private dispose(...tensors: tf.TensorInfo[]): void {
    for (const { dataId } of tensors) this.backend.disposeData(dataId);
  }

  private run(
    name: string,
    inputs: Record<string, tf.TensorInfo> | tf.TensorInfo[],
    attrs: Record<string, unknown> = {},
  ): tf.TensorInfo {
    const { kernelFunc } = tf.getKernel(name, 'webgpu');
    const call = { inputs, attrs, backend: this.backend } as unknown as Parameters<tf.KernelFunc>[0];
    return kernelFunc(call) as tf.TensorInfo;
  }

  /** One or two inputs, of the output's shape or broadcast over its rows. */
  elementwise(name: string, { inputs, attrs }: WebGpuCall<Record<string, unknown>>): tf.TensorInfo {
    const tensors = Object.entries(inputs);
    const shapes = tensors.map(([, { shape }]) => shape);
    const outShape = shapes.reduce((a, b) => tf.backend_util.assertAndGetBroadcastShape(a, b));
    const [rows = 1] = outShape;
    const dtype = name === 'Cast' ? (attrs['dtype'] as tf.DataType) : (tensors[0]?.[1].dtype ?? 'float32');
    return this.assemble(outShape, dtype, (block) => {
      const whole = ({ shape }: tf.TensorInfo): boolean => shape.length < outShape.length || shape[0] !== rows;
      const parts = tensors.map(([key, x]) => [key, whole(x) ? x : this.rows(x, block)] as const);
      const result = this.run(name, Object.fromEntries(parts), attrs);
      this.dispose(...parts.filter(([key, part]) => part !== inputs[key]).map(([, part]) => part));
      return result;
    });
  }

  /** Lookup in a large table: outside of a block the kernel gives 0, so the blocks add up. */
  gather(x: tf.TensorInfo, indices: tf.TensorInfo): tf.TensorInfo {
    return this.sumOver(x, (rows, block) => {
      const local = this.localIndices(indices, block);
      const found = this.run('GatherV2', { x: rows, indices: local }, { axis: 0, batchDims: 0 });
      this.dispose(local);
      return found;
    });
  }

  /** The gradient of a lookup, [numSegments, …]. */
  segmentSum(x: tf.TensorInfo, segmentIds: tf.TensorInfo, numSegments: number): tf.TensorInfo {
    const shape = [numSegments, ...x.shape.slice(segmentIds.shape.length)];
    return this.assemble(shape, x.dtype, (block) => {
      const local = this.localIndices(segmentIds, block);
      const attrs = { numSegments: block.end - block.begin };
      const part = this.run('UnsortedSegmentSum', { x, segmentIds: local }, attrs);
      this.dispose(local);
      return part;
    });
  }

  /** Indices counted from the block's begin; -1 outside. */
  private localIndices(indices: tf.TensorInfo, { begin, end }: RowBlock): tf.TensorInfo {
    const inside = `a >= ${begin} && a < ${end}`;
    const program = new ElementwiseProgram(indices.shape, `select(-1, a - ${begin}, ${inside})`);
    return this.backend.runWebGPUProgram(program, [indices], 'int32');
  }

  /** a · b [inner, columns] by blocks of its rows, a · bᵀ by blocks of b's rows, or aᵀ · b with a large result. */
  matMul(a: tf.TensorInfo, b: tf.TensorInfo, transposeA: boolean, transposeB: boolean): tf.TensorInfo {
    const [leftA = 1, rightA = 1] = a.shape;
    const [leftB = 1, rightB = 1] = b.shape;
    if (!this.isLarge(b)) {
      return this.assemble([transposeA ? rightA : leftA, transposeB ? leftB : rightB], 'float32', (block) => {
        const part = this.slice(a, transposeA ? 1 : 0, block.begin, block.end);
        const product = this.run('BatchMatMul', { a: part, b }, { transposeA, transposeB });
        this.dispose(part);
        return product;
      });
    }
    if (!transposeB) {
      return this.sumOver(b, (rows, block) => {
        const part = this.slice(a, transposeA ? 0 : 1, block.begin, block.end);
        const product = this.run('BatchMatMul', { a: part, b: rows }, { transposeA, transposeB });
        this.dispose(part);
        return product;
      });
    }
    const columns = rowBlocks(b.shape, this.limit).map((block) => {
      const rows = this.rows(b, block);
      const product = this.run('BatchMatMul', { a, b: rows }, { transposeA, transposeB });
      this.dispose(rows);
      return product;
    });
    const joined = this.run('Concat', columns, { axis: 1 });
    this.dispose(...columns);
    return joined;
  }

  /** Transpose of a matrix [rows, columns]; the gradient of a lookup requests the identity. */
  transpose(x: tf.TensorInfo, isSame: boolean): tf.TensorInfo {
    if (isSame) return this.run('Identity', { x });
    const [rows = 1, columns = 1] = x.shape;
    const whole = this.backend.makeTensorInfo([columns, rows], x.dtype);
    for (const block of rowBlocks(x.shape, this.limit)) {
      const part = this.rows(x, block);
      const turned = this.run('Transpose', { x: part }, { perm: [1, 0] });
      const length = block.end - block.begin;
      for (let row = 0; row < columns; row++) {
        this.copy(turned, row * length, whole, row * rows + block.begin, length);
      }
      this.dispose(part, turned);
    }
    return whole;
  }

  /** Sum of all numbers. */
  sum(x: tf.TensorInfo): tf.TensorInfo {
    const axis = x.shape.map((_, i) => i);
    return this.sumOver(x, (rows) => this.run('Sum', { x: rows }, { axis, keepDims: false }));
  }
}

/** Runs a kernel by blocks where `isLarge` holds. */
function extend<Attributes>(
  name: string,
  isLarge: (call: WebGpuCall<Attributes>) => boolean,
  byBlocks: WebGpuKernel<Attributes>,
): void {
  const kernel = findKernel(name, 'webgpu')?.kernelFunc as unknown as WebGpuKernel<Attributes> | undefined;
  if (kernel === undefined) throw new Error(`The WebGPU backend has no kernel ${name}.`);
  registerWebGpuKernel<Attributes>(name, (call) => (isLarge(call) ? byBlocks(call) : kernel(call)));
}

function given(call: WebGpuCall, name: string): tf.TensorInfo {
  return call.inputs[name] as tf.TensorInfo;
}

/** Makes a backend's kernels split large weights, once. @param limit bytes of the largest tensor bound at once */
export function registerBlockKernels(
  backend: WebGpuBackend,
  limit = backend.device.limits.maxStorageBufferBindingSize,
): void {
  const blocks = new Blocks(backend, limit);
  const anyLarge = ({ inputs }: WebGpuCall): boolean => Object.values(inputs).some((x) => blocks.isLarge(x));
  for (const name of ELEMENTWISE) {
    extend<Record<string, unknown>>(name, anyLarge, (call) => blocks.elementwise(name, call));
  }
  extend('GatherV2', anyLarge, (call) => blocks.gather(given(call, 'x'), given(call, 'indices')));
  extend<{ readonly numSegments: number }>(
    'UnsortedSegmentSum',
    ({ inputs, attrs }) => {
      const [x, ids] = [inputs['x'], inputs['segmentIds']];
      return blocks.isLarge({ shape: [attrs.numSegments, ...(x?.shape.slice(ids?.shape.length) ?? [])] });
    },
    (call) => blocks.segmentSum(given(call, 'x'), given(call, 'segmentIds'), call.attrs.numSegments),
  );
  extend<{ readonly transposeA: boolean; readonly transposeB: boolean }>(
    'BatchMatMul',
    (call) => {
      const [a, b] = [given(call, 'a').shape, given(call, 'b').shape];
      if (a.length > 2 || b.length > 2) return false;
      const { transposeA, transposeB } = call.attrs;
      return anyLarge(call) || blocks.isLarge({ shape: [a[transposeA ? 1 : 0] ?? 1, b[transposeB ? 0 : 1] ?? 1] });
    },
    (call) => blocks.matMul(given(call, 'a'), given(call, 'b'), call.attrs.transposeA, call.attrs.transposeB),
  );
  extend<{ readonly perm: readonly number[] }>(
    'Transpose',
    (call) => anyLarge(call) && ['1,0', '0,1'].includes(call.attrs.perm.join()),
    (call) => blocks.transpose(given(call, 'x'), call.attrs.perm[0] === 0),
  );
  extend<{ readonly axis: number | number[] }>(
    'Sum',
    (call) => {
      const { shape } = given(call, 'x');
      return anyLarge(call) && tf.util.parseAxisParam(call.attrs.axis, shape).length === shape.length;
    },
    (call) => blocks.sum(given(call, 'x')),
  );
}
