/**
 * Packed matrices on the engine tensorflow: TensorFlow's own bfloat16 and half tensors, of which tfjs-node has no
 * notion. A block of rows at a time is cast to float32, by all threads, and multiplied.
 */
import { type PackedKernels, registerPackedKernels } from './packed-kernels.js';
import {
  type PackedLayout,
  type PackedMatrix,
  type PackedStore,
  registerPackedStore,
  type RowBlock,
} from './packed-matrix.js';
import type { TensorflowBackend, TensorflowTensor } from './tensorflow-kernels.js';
import * as tf from './tf.js';
import { rowsOf } from './wasm-heap.js';

/** Types that the addon passes through without names (tensorflow/core/framework/types.proto). */
const TYPES = { BF16: 14, F16: 19 } as const;
const UINT16 = 17;

/** TensorFlow's operations on tensors by id, float32 unless said otherwise. */
class Scope {
  private readonly made = new Set<number>();

  private constructor(private readonly backend: TensorflowBackend) {}

  /** Runs work and frees all its tensors but the result. */
  static run(backend: TensorflowBackend, work: (scope: Scope) => TensorflowTensor): TensorflowTensor {
    const scope = new Scope(backend);
    try {
      const result = work(scope);
      scope.made.delete(result.id);
      return result;
    } finally {
      for (const id of scope.made) backend.binding.deleteTensor(id);
    }
  }

  /** As `run`; the result belongs to this scope. */
  inner(work: (scope: Scope) => TensorflowTensor): number {
    const { id } = Scope.run(this.backend, work);
    this.made.add(id);
    return id;
  }

  patterns(bits: Uint16Array, { dtype, rows, columns }: PackedLayout): TensorflowTensor {
    const { binding } = this.backend;
    const bytes = new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength);
    const raw = binding.createTensor([rows, columns, 2], binding.TF_UINT8, bytes);
    this.made.add(raw);
    return this.bitcast(raw, binding.TF_UINT8, TYPES[dtype]);
  }

  slice(x: number, begin: readonly number[], size: readonly number[], type = this.backend.binding.TF_FLOAT): number {
    const attributes = { T: type, Index: this.backend.binding.TF_INT32 };
    return this.execute('Slice', attributes, [x, this.integers(begin), this.integers(size)]).id;
  }

  cast(x: number, from: number, to = this.backend.binding.TF_FLOAT): TensorflowTensor {
    return this.execute('Cast', { SrcT: from, DstT: to, Truncate: false }, [x]);
  }

  bitcast(x: number, from: number, to: number): TensorflowTensor {
    return this.execute('Bitcast', { T: from, type: to }, [x]);
  }

  matMul(a: number, b: number, transposeB: boolean): TensorflowTensor {
    const T = this.backend.binding.TF_FLOAT;
    return this.execute('MatMul', { transpose_a: false, transpose_b: transposeB, T }, [a, b]);
  }

  /** Joins matrices along the columns. */
  concat(parts: readonly number[]): number {
    const { TF_FLOAT: T, TF_INT32: Tidx } = this.backend.binding;
    const [only] = parts;
    if (only !== undefined && parts.length === 1) return only;
    return this.execute('ConcatV2', { T, Tidx }, [...parts, this.integers(1)], parts.length).id;
  }

  reshape(x: number, shape: readonly number[]): TensorflowTensor {
    const { TF_FLOAT: T, TF_INT32: Tshape } = this.backend.binding;
    return this.execute('Reshape', { T, Tshape }, [x, this.integers(shape)]);
  }

  gather(x: number, ids: number, type: number): number {
    const { TF_INT32 } = this.backend.binding;
    const attributes = { Tparams: type, Tindices: TF_INT32, Taxis: TF_INT32 };
    return this.execute('GatherV2', attributes, [x, ids, this.integers(0)]).id;
  }

  private integers(values: readonly number[] | number): number {
    const { binding } = this.backend;
    const shape = typeof values === 'number' ? [] : [values.length];
    const id = binding.createTensor(shape, binding.TF_INT32, Int32Array.from([values].flat()));
    this.made.add(id);
    return id;
  }

  /** @param count number of inputs, where the operation takes any number */
  execute(
    operation: string,
    attributes: Readonly<Record<string, number | boolean>>,
    inputs: readonly number[],
    count: number | null = null,
  ): TensorflowTensor {
    const { TF_ATTR_BOOL, TF_ATTR_INT, TF_ATTR_TYPE } = this.backend.binding;
    const described = Object.entries(attributes).map(([name, value]) => {
      return { name, type: typeof value === 'boolean' ? TF_ATTR_BOOL : TF_ATTR_TYPE, value };
    });
    if (count !== null) described.push({ name: 'N', type: TF_ATTR_INT, value: count });
    const [result] = this.backend.binding.executeOp(operation, described, [...inputs], 1);
    if (result === undefined) throw new Error(`TensorFlow's ${operation} gave no result`);
    this.made.add(result.id);
    return result;
  }
}

class TensorflowStore implements PackedStore {
  /** [rows, columns] of the 16-bit type. */
  readonly id: number;
  private readonly backend = tf.backend() as TensorflowBackend;

  constructor(
    data: Uint16Array,
    private readonly layout: PackedLayout,
  ) {
    this.id = Scope.run(this.backend, (scope) => scope.patterns(data, layout)).id;
  }

  /** The addon hands out no 16-bit numbers, so they are read as int32. */
  bits(first: number, count: number): Uint16Array {
    const { binding } = this.backend;
    const type = TYPES[this.layout.dtype];
    const { id } = Scope.run(this.backend, (scope) => {
      const rows = scope.slice(this.id, [first, 0], [count, this.layout.columns], type);
      return scope.cast(scope.bitcast(rows, type, UINT16).id, UINT16, binding.TF_INT32);
    });
    try {
      return Uint16Array.from(binding.tensorDataSync(id));
    } finally {
      binding.deleteTensor(id);
    }
  }

  dispose(): void {
    this.backend.binding.deleteTensor(this.id);
  }
}

const KERNELS: PackedKernels<TensorflowBackend> = {
  multiply: (backend, x, matrix) =>
    resultOf(backend, (scope) => {
      const rows = asRows(scope, backend, x);
      const parts = matrix.blocks().map((block) => {
        return scope.inner((inner) => inner.matMul(rows, widened(inner, matrix, block), true));
      });
      return scope.reshape(scope.concat(parts), [...x.shape.slice(0, -1), matrix.rows]);
    }),
  multiplyBack: (backend, dy, matrix) =>
    resultOf(backend, (scope) => {
      const rows = asRows(scope, backend, dy);
      const { rows: count } = rowsOf(dy.shape);
      let sum: number | null = null;
      for (const block of matrix.blocks()) {
        const before: number | null = sum;
        sum = scope.inner((inner) => {
          const part = inner.slice(rows, [0, block.first], [count, block.count]);
          const product = inner.matMul(part, widened(inner, matrix, block), false);
          if (before === null) return product;
          return inner.execute('AddV2', { T: backend.binding.TF_FLOAT }, [before, product.id]);
        });
      }
      if (sum === null) throw new Error('PackedMatrix: it has no rows');
      return scope.reshape(sum, [...dy.shape.slice(0, -1), matrix.columns]);
    }),
  gather: (backend, ids, matrix) =>
    resultOf(backend, (scope) => {
      const type = TYPES[matrix.dtype];
      const [indices = -1] = backend.getInputTensorIds([ids]);
      return scope.cast(scope.gather(matrix.storedAs(TensorflowStore).id, indices, type), type);
    }),
};

function resultOf(backend: TensorflowBackend, work: (scope: Scope) => TensorflowTensor): tf.TensorInfo {
  return backend.createOutputTensor(Scope.run(backend, work));
}

function asRows(scope: Scope, backend: TensorflowBackend, x: tf.TensorInfo): number {
  const { rows, width } = rowsOf(x.shape);
  const [id = -1] = backend.getInputTensorIds([x]);
  return scope.reshape(id, [rows, width]).id;
}

function widened(scope: Scope, matrix: PackedMatrix, { first, count }: RowBlock): number {
  const type = TYPES[matrix.dtype];
  const { id } = matrix.storedAs(TensorflowStore);
  return scope.cast(scope.slice(id, [first, 0], [count, matrix.columns], type), type).id;
}

export function registerTensorflowPacked(backendName: string): void {
  registerPackedStore(backendName, TensorflowStore);
  registerPackedKernels(backendName, KERNELS);
}
