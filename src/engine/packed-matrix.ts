/**
 * A frozen weight matrix in 16 bits, outside the engine's float32 tensors, widened block by block during computation:
 * half the memory, and none of WASM's 4 GiB heap. A 7B model fits into 16 GB this way. Widening is exact, so results
 * equal those in float32. Gradients flow through a product to its other factor only.
 */
import { bfloat16ToFloat32, halfToFloat32 } from '../half-float.js';
import * as tf from './tf.js';

export type PackedDtype = 'BF16' | 'F16';

/** Storage of the 16-bit numbers of one matrix on an engine. */
export interface PackedStore {
  /** Rows as bit patterns, perhaps a view of the storage. */
  bits(first: number, count: number): Uint16Array;
  dispose(): void;
}

/** Constructor of stores of one kind. */
export type PackedStoreKind<S extends PackedStore = PackedStore> = new (bits: Uint16Array, layout: PackedLayout) => S;

/** Layout of a store's numbers, row after row. */
export interface PackedLayout {
  readonly dtype: PackedDtype;
  readonly rows: number;
  readonly columns: number;
}

/** The numbers in a JavaScript array, readable by every engine. */
export class ArrayStore implements PackedStore {
  constructor(
    readonly data: Uint16Array,
    private readonly layout: PackedLayout,
  ) {}

  bits(first: number, count: number): Uint16Array {
    const { columns } = this.layout;
    return this.data.subarray(first * columns, (first + count) * columns);
  }

  dispose(): void {
    // The array is garbage as soon as nothing refers to the store.
  }
}

const storeKinds = new Map<string, PackedStoreKind>();

/** Makes a backend keep its matrices in stores of its own. */
export function registerPackedStore(backendName: string, kind: PackedStoreKind): void {
  storeKinds.set(backendName, kind);
}

/** Numbers widened at a time: 8 MiB of float32, near the processor and long enough for a product. */
const BLOCK = 2 ** 21;

/** Consecutive rows of a matrix. */
export type RowBlock = Readonly<Record<'first' | 'count', number>>;

export class PackedMatrix implements PackedLayout {
  /** Null: zeros, which need no memory before first use. */
  private store: PackedStore | null = null;
  private isDisposed = false;

  private constructor(
    readonly dtype: PackedDtype,
    /** Outputs. */
    readonly rows: number,
    /** Inputs. */
    readonly columns: number,
    private readonly blockSize: number,
  ) {}

  /**
   * @param data bit patterns, row-major [rows = out, columns = in] as PyTorch stores a Linear; perhaps kept, so the
   *   caller must not change them
   * @param blockSize numbers widened at a time
   */
  static create(data: Uint16Array, dtype: PackedDtype, rows: number, columns: number, blockSize = BLOCK): PackedMatrix {
    if (data.length !== rows * columns) {
      throw new Error(`PackedMatrix: ${data.length} numbers were given for ${rows} rows of ${columns}`);
    }
    const matrix = new PackedMatrix(dtype, rows, columns, blockSize);
    // At once, so that the array is free for collection where the engine has a copy.
    matrix.store = new (currentKind())(data, matrix);
    return matrix;
  }

  static zeros(rows: number, columns: number, dtype: PackedDtype = 'BF16'): PackedMatrix {
    return new PackedMatrix(dtype, rows, columns, BLOCK);
  }

  /** Bytes of the numbers, wherever they are. */
  get bytes(): number {
    return 2 * this.rows * this.columns;
  }

  /** x · Wᵀ: x [..., columns] float32 → [..., rows]. Differentiable by x. */
  multiply(x: tf.Tensor): tf.Tensor {
    if (x.dtype !== 'float32' || x.shape.at(-1) !== this.columns) {
      const found = `${x.dtype} [${x.shape.join(', ')}]`;
      throw new Error(`PackedMatrix.multiply expects float32 [..., ${this.columns}], but was given ${found}`);
    }
    this.checkIsThere();
    return runPacked('GsvaPackedLinear', { x }, this);
  }

  /** Rows by index, widened: ids int32 [...] in [0, rows) → [..., columns]. No gradient. */
  gather(ids: tf.Tensor): tf.Tensor {
    this.checkIsThere();
    return runPacked('GsvaPackedRows', { ids }, this);
  }

  /** The matrix, or some of its rows, as float32 [count, columns]; owned by the caller. */
  widen(first = 0, count = this.rows - first): tf.Tensor2D {
    const ids = Int32Array.from({ length: count }, (_, i) => first + i);
    return tf.tidy(() => this.gather(tf.tensor1d(ids, 'int32')) as tf.Tensor2D);
  }

  /** Bit patterns of some rows, read-only. */
  bits(first = 0, count = this.rows - first): Uint16Array {
    return this.currentStore().bits(first, count);
  }

  /** All rows in blocks small enough to be widened. */
  blocks(largest = this.blockSize): RowBlock[] {
    const numbers = Math.min(largest, this.blockSize);
    const step = Math.max(1, Math.floor(numbers / Math.max(1, this.columns)));
    return Array.from({ length: Math.ceil(this.rows / step) }, (_, index) => {
      return { first: index * step, count: Math.min(step, this.rows - index * step) };
    });
  }

  /** The numbers in a store of the given kind, moved into it from another engine's. */
  storedAs<S extends PackedStore>(kind: PackedStoreKind<S>): S {
    const found = this.currentStore(kind);
    if (found instanceof kind) return found;
    const moved = new kind(found.bits(0, this.rows), this);
    found.dispose();
    this.store = moved;
    return moved;
  }

  dispose(): void {
    this.store?.dispose();
    this.store = null;
    this.isDisposed = true;
  }

  private checkIsThere(): void {
    if (this.isDisposed) throw new Error('PackedMatrix: it is disposed');
  }

  private currentStore(kind = currentKind()): PackedStore {
    this.checkIsThere();
    this.store ??= new kind(new Uint16Array(this.rows * this.columns), this);
    return this.store;
  }
}

/** The matrix among a kernel's attributes. */
export function packedOf(attrs: unknown): PackedMatrix {
  const { matrix } = attrs as { readonly matrix?: unknown };
  if (matrix instanceof PackedMatrix) return matrix;
  throw new Error('A kernel of packed matrices was called without its matrix.');
}

export function widened(bits: Uint16Array, dtype: PackedDtype): Float32Array {
  return dtype === 'BF16' ? bfloat16ToFloat32(bits) : halfToFloat32(bits);
}

function currentKind(): PackedStoreKind {
  return storeKinds.get(tf.getBackend()) ?? ArrayStore;
}

/** tfjs passes attributes to kernels and gradients unchanged; its types name no matrix. */
function runPacked(kernel: string, inputs: tf.NamedTensorMap, matrix: PackedMatrix): tf.Tensor {
  return tf.engine().runKernel(kernel, inputs, { matrix } as unknown as tf.NamedAttrMap);
}
