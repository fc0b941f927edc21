/**
 * A frozen weight matrix that stays in 16 bits, outside the engine's float32 tensors, and is widened block by block
 * while it is computed with: half the memory, and on WASM none of the 4 GiB that its heap can have. A model of 7 billion
 * parameters fits into 16 GB this way.
 *
 * Widening is exact, so results are those of the same matrix in float32. Gradients flow through a product to its other
 * factor; the matrix itself has none.
 */
import { bfloat16ToFloat32, halfToFloat32 } from '../half-float.js';
import * as tf from './tf.js';
import { machineMemory } from '../machine.js';

export type PackedDtype = 'BF16' | 'F16';

/** Where an engine keeps the 16-bit numbers of one matrix. */
export interface PackedStore {
  /** Rows as bit patterns; may be a view of what is kept. */
  bits(first: number, count: number): Uint16Array;
  dispose(): void;
}

/** Makes stores of one kind. */
export type PackedStoreKind<S extends PackedStore = PackedStore> = new (bits: Uint16Array, layout: PackedLayout) => S;

/** How a store's numbers lie, row after row. */
export interface PackedLayout {
  readonly dtype: PackedDtype;
  readonly rows: number;
  readonly columns: number;
}

/** The numbers in a JavaScript array: what every engine can read. */
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

/** Has a backend keep its matrices in stores of its own. */
export function registerPackedStore(backendName: string, kind: PackedStoreKind): void {
  storeKinds.set(backendName, kind);
}

/** Numbers that are widened at a time: 8 MiB of float32, near enough to the processor and long enough for a product. */
const BLOCK = 2 ** 21;

/** Some rows of a matrix. */
export interface RowBlock {
  readonly first: number;
  readonly count: number;
}

export class PackedMatrix implements PackedLayout {
  /** Null: zeros, which need no memory before they are asked for. */
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
   * @param data bit patterns, row-major [rows = out, columns = in] as PyTorch stores a Linear; they may be kept as they
   *   are, so the caller must not change them afterwards
   * @param blockSize numbers that are widened at a time
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

  /** Zeros, for a weight that is set later. */
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

  /** The bit patterns of some rows; to be read only. */
  bits(first = 0, count = this.rows - first): Uint16Array {
    return this.currentStore().bits(first, count);
  }

  /** All rows in blocks that are small enough to be widened. */
  blocks(largest = this.blockSize): RowBlock[] {
    const numbers = Math.min(largest, this.blockSize);
    const step = Math.max(1, Math.floor(numbers / Math.max(1, this.columns)));
    return Array.from({ length: Math.ceil(this.rows / step) }, (_, index) => {
      return { first: index * step, count: Math.min(step, this.rows - index * step) };
    });
  }

  /** The numbers in a store of the given kind, moved into it where another engine has kept them. */
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

/** Bit patterns → float32, exact. */
export function widened(bits: Uint16Array, dtype: PackedDtype): Float32Array {
  return dtype === 'BF16' ? bfloat16ToFloat32(bits) : halfToFloat32(bits);
}

function currentKind(): PackedStoreKind {
  return storeKinds.get(tf.getBackend()) ?? ArrayStore;
}

/** tfjs hands attributes through to kernels and gradients as they are; a matrix is no kind of attribute that it names. */
function runPacked(kernel: string, inputs: tf.NamedTensorMap, matrix: PackedMatrix): tf.Tensor {
  return tf.engine().runKernel(kernel, inputs, { matrix } as unknown as tf.NamedAttrMap);
}

/** Addresses of WebAssembly have 32 bits. */
const LARGEST_HEAP = 2 ** 32;

/** Bytes. Of a graphics card's memory nothing is known; there the machine's counts. */
export function tensorMemory(): number {
  const { available } = machineMemory();
  return tf.getBackend() === 'wasm' ? Math.min(LARGEST_HEAP, available) : available;
}
