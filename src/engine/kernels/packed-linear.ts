/**
 * Packed matrices on the WASM backend. Their numbers lie in JavaScript arrays; a block at a time is copied into the
 * heap and widened there. For a few rows, as for a generated token, widening and product are one.
 */
import { ArrayStore, type PackedMatrix, type RowBlock } from '../packed-matrix.js';
import { registerPackedKernels } from '../packed-kernels.js';
import { PACKED_ROUND } from '../simd/packed.js';
import { vectorKernels } from '../simd/vector-kernels.js';
import type * as tf from '../tf.js';
import {
  asRows,
  FLOAT_BYTES,
  intView,
  makeFloats,
  offsetOf,
  pointer,
  rowsOf,
  type WasmBackend,
  withShape,
} from '../wasm-heap.js';
import { type MatMulEngine, matMul } from './matmul.js';

/** Rows up to which the product is computed without widening first. */
const FEW = 4;
/** Numbers of a block that stays in the processor's nearer cache from copying to multiplying: 256 KiB. */
const NEAR_BLOCK = 2 ** 17;

/** x · Wᵀ */
function multiply(engine: MatMulEngine, backend: WasmBackend, x: tf.TensorInfo, matrix: PackedMatrix): tf.TensorInfo {
  const { rows: count } = rowsOf(x.shape);
  const shape = [...x.shape.slice(0, -1), matrix.rows];
  const out = makeFloats(backend, [count, matrix.rows]);
  if (count <= FEW && matrix.columns % PACKED_ROUND === 0) {
    multiplyFew(backend, x, matrix, count, out);
    return withShape(out, shape);
  }
  const x2 = asRows(x);
  forBlocks(backend, matrix, (block, values) => {
    const part = matMul(engine, backend, x2, values, false, true);
    copyColumns(backend, part, [0, block.count], out, [block.first, matrix.rows], block.count, count);
    backend.disposeData(part.dataId);
  });
  return withShape(out, shape);
}

function multiplyFew(backend: WasmBackend, x: tf.TensorInfo, matrix: PackedMatrix, count: number, out: tf.TensorInfo) {
  const { columns, rows, dtype } = matrix;
  const store = matrix.storedAs(ArrayStore);
  const blocks = matrix.blocks(NEAR_BLOCK);
  const scratch = makeFloats(backend, [Math.ceil(((blocks[0]?.count ?? 0) * columns) / 2)]);
  const kernels = vectorKernels(backend);
  const dot = dtype === 'BF16' ? kernels.dotBfloat16 : kernels.dotHalf;
  const heap = backend.wasm.HEAPU8;
  const [from, to, at] = [pointer(backend, x), pointer(backend, out), pointer(backend, scratch)];
  for (const block of blocks) {
    heap.set(bytesOf(store.bits(block.first, block.count)), at);
    for (let row = 0; row < count; row++) {
      const target = to + (row * rows + block.first) * FLOAT_BYTES;
      dot(at, from + row * columns * FLOAT_BYTES, target, block.count, columns / PACKED_ROUND);
    }
  }
  backend.disposeData(scratch.dataId);
}

/** dx = dy · W: the blocks' products added up. */
function multiplyBack(engine: MatMulEngine, backend: WasmBackend, dy: tf.TensorInfo, matrix: PackedMatrix) {
  const { rows: count } = rowsOf(dy.shape);
  const out = makeFloats(backend, [count, matrix.columns]);
  backend.wasm.HEAPU8.fill(0, pointer(backend, out), pointer(backend, out) + count * matrix.columns * FLOAT_BYTES);
  forBlocks(backend, matrix, (block, values) => {
    const part = makeFloats(backend, [count, block.count]);
    copyColumns(backend, dy, [block.first, matrix.rows], part, [0, block.count], block.count, count);
    const product = matMul(engine, backend, part, values, false, false);
    vectorKernels(backend).accumulate(pointer(backend, out), pointer(backend, product), 1, count * matrix.columns);
    for (const { dataId } of [part, product]) backend.disposeData(dataId);
  });
  return withShape(out, [...dy.shape.slice(0, -1), matrix.columns]);
}

function gather(backend: WasmBackend, ids: tf.TensorInfo, matrix: PackedMatrix): tf.TensorInfo {
  const { columns } = matrix;
  const out = makeFloats(backend, [...ids.shape, columns]);
  const scratch = scratchFor(backend, columns);
  const width = columns * FLOAT_BYTES;
  for (const [place, id] of intView(backend, ids).entries()) {
    widenInto(backend, matrix, { first: id, count: 1 }, scratch);
    const from = pointer(backend, scratch);
    backend.wasm.HEAPU8.copyWithin(pointer(backend, out) + place * width, from, from + width);
  }
  backend.disposeData(scratch.dataId);
  return out;
}

function forBlocks(backend: WasmBackend, matrix: PackedMatrix, use: (block: RowBlock, values: tf.TensorInfo) => void) {
  const blocks = matrix.blocks();
  const scratch = scratchFor(backend, (blocks[0]?.count ?? 0) * matrix.columns);
  for (const block of blocks) {
    widenInto(backend, matrix, block, scratch);
    use(block, withShape(scratch, [block.count, matrix.columns]));
  }
  backend.disposeData(scratch.dataId);
}

/** Room for `numbers` in whole rounds. */
function scratchFor(backend: WasmBackend, numbers: number): tf.TensorInfo {
  return makeFloats(backend, [Math.ceil(numbers / PACKED_ROUND) * PACKED_ROUND]);
}

/** The patterns go into the upper half of the scratch and are widened in place. */
function widenInto(backend: WasmBackend, matrix: PackedMatrix, block: RowBlock, scratch: tf.TensorInfo): void {
  const kernels = vectorKernels(backend);
  const widen = matrix.dtype === 'BF16' ? kernels.widenBfloat16 : kernels.widenHalf;
  const rounds = Math.ceil((block.count * matrix.columns) / PACKED_ROUND);
  const target = pointer(backend, scratch);
  const source = target + (rounds * PACKED_ROUND * FLOAT_BYTES) / 2;
  backend.wasm.HEAPU8.set(bytesOf(matrix.storedAs(ArrayStore).bits(block.first, block.count)), source);
  widen(source, target, rounds);
}

/** Copies `width` columns of every row between matrices; places are [first column, columns of a row]. */
function copyColumns(
  backend: WasmBackend,
  source: tf.TensorInfo,
  [sourceFirst, sourceWidth]: readonly [number, number],
  target: tf.TensorInfo,
  [targetFirst, targetWidth]: readonly [number, number],
  width: number,
  rows: number,
): void {
  const heap = backend.wasm.HEAPU8;
  const [from, to] = [offsetOf(backend, source), offsetOf(backend, target)];
  for (let row = 0; row < rows; row++) {
    const start = from + (row * sourceWidth + sourceFirst) * FLOAT_BYTES;
    heap.copyWithin(to + (row * targetWidth + targetFirst) * FLOAT_BYTES, start, start + width * FLOAT_BYTES);
  }
}

function bytesOf(bits: Uint16Array): Uint8Array {
  return new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength);
}

export function registerPackedLinear(engine: MatMulEngine): void {
  registerPackedKernels<WasmBackend>('wasm', {
    multiply: (backend, x, matrix) => multiply(engine, backend, x, matrix),
    multiplyBack: (backend, dy, matrix) => multiplyBack(engine, backend, dy, matrix),
    gather,
  });
}
