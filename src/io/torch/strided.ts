/**
 * Strided views, as PyTorch stores tensors: element (i, j, ...) lies at offset + i·strides[0] + j·strides[1] + ... of a
 * storage. A view becomes one row-major array, with one block of the file as further memory.
 */
import type { ByteSource } from '../byte-source.js';
import type { Fail } from '../safetensors/safetensors-header.js';

export interface StridedView {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

type Elements = Uint8Array | Uint16Array | Uint32Array;

/** Bytes of the file that are read at once for a view that is not contiguous. */
const BLOCK_BYTES = 16 * 2 ** 20;

/** Rows that are copied together, so that their cache lines are written whole. */
const TILE = 32;

/** Checks that a view has sensible numbers, lies inside of a storage of `length` elements, and is not expanded. */
export function checkView({ shape, strides, offset }: StridedView, length: number, fail: Fail): void {
  if (shape.length !== strides.length) fail(`it has ${shape.length} sizes but ${strides.length} strides`);
  for (const count of [...shape, ...strides, offset]) {
    if (!Number.isSafeInteger(count) || count < 0) fail(`its size, stride or offset ${count} is not a count`);
  }
  const elements = elementCount(shape);
  if (elements === 0) return;
  const last = shape.reduce((at, size, i) => at + (size - 1) * (strides[i] as number), offset);
  // A sum beyond 2^53 is rounded, but still far beyond any length.
  if (last >= length) fail(`its last element is number ${last} of a storage of ${length}; the file is damaged`);
  if (elements > length) {
    fail(`it has ${elements} elements in a storage of ${length}: an expanded view; save it with .contiguous()`);
  }
}

export function elementCount(shape: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
}

export function isContiguous({ shape, strides }: StridedView): boolean {
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    const size = shape[i] as number;
    if (size !== 1 && strides[i] !== expected) return false;
    expected *= size;
  }
  return true;
}

/**
 * Reads a view that `checkView` has passed.
 * @param position byte of the file at which its storage begins
 * @param width bytes of one element: 1, 2, 4 or 8
 * @param blockBytes read at once; tests use less
 * @returns the elements in row-major order, as bytes that begin at 0 of a buffer of their own
 */
export function readStrided(
  source: ByteSource,
  position: number,
  view: StridedView,
  width: number,
  blockBytes = BLOCK_BYTES,
): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.allocUnsafeSlow(elementCount(view.shape) * width);
  if (bytes.length === 0) return bytes;
  if (isContiguous(view)) source.readInto(position + view.offset * width, bytes);
  else scatter(source, position, view, width, blockBytes, bytes.buffer);
  return bytes;
}

/** One dimension of the view: its steps in the storage and in the result. */
interface Dimension {
  readonly size: number;
  readonly stride: number;
  readonly outStride: number;
  /** Reach of the inner dimensions in the storage. */
  readonly extent: number;
}

function scatter(
  source: ByteSource,
  position: number,
  view: StridedView,
  width: number,
  blockBytes: number,
  result: ArrayBuffer,
): void {
  // Elements of 8 bytes are moved as two of 4: bits stay what they are, NaN too.
  const unit = Math.min(width, 4);
  const dimensions = inStorageOrder(view, width / unit);
  const out = elements(result, unit);
  const first = view.offset * (width / unit);
  const end = dimensions.reduce((at, { size, stride }) => at + (size - 1) * stride, first) + 1;
  const blockLength = Math.max(1, Math.floor(blockBytes / unit));
  const block = elements(new ArrayBuffer(Math.min(blockLength, end - first) * unit), unit);
  const blockView = new Uint8Array(block.buffer);
  for (let start = first; start < end; start += blockLength) {
    const stop = Math.min(end, start + blockLength);
    source.readInto(position + start * unit, blockView.subarray(0, (stop - start) * unit));
    copyBlock(block, start, stop, dimensions, 0, first, 0, out);
  }
}

/** From the largest step to the smallest, so that a walk passes the storage from beginning to end. */
function inStorageOrder({ shape, strides }: StridedView, parts: number): Dimension[] {
  const steps: { size: number; stride: number; outStride: number }[] = [];
  let outStride = parts;
  for (let i = shape.length - 1; i >= 0; i--) {
    const size = shape[i] as number;
    if (size !== 1) steps.push({ size, stride: (strides[i] as number) * parts, outStride });
    outStride *= size;
  }
  if (parts > 1) steps.push({ size: parts, stride: 1, outStride: 1 });
  steps.sort((a, b) => b.stride - a.stride);
  let extent = 0;
  const dimensions: Dimension[] = [];
  for (const step of steps.reverse()) {
    dimensions.push({ ...step, extent });
    extent += (step.size - 1) * step.stride;
  }
  return dimensions.reverse();
}

/** Copies the part in storage elements [start, stop) of the sub-view at `at`, of the dimensions from `depth` on. */
function copyBlock(
  block: Elements,
  start: number,
  stop: number,
  dimensions: readonly Dimension[],
  depth: number,
  at: number,
  outAt: number,
  out: Elements,
): void {
  const dimension = dimensions[depth] as Dimension;
  const { size, stride, outStride, extent } = dimension;
  const from = stride === 0 ? 0 : Math.max(0, Math.ceil((start - at - extent) / stride));
  const to = stride === 0 ? size : Math.min(size, Math.floor((stop - 1 - at) / stride) + 1);
  const inner = dimensions[depth + 1];
  if (inner === undefined) {
    if (stride === 0 && (at < start || at >= stop)) return;
    let source = at + from * stride - start;
    let target = outAt + from * outStride;
    for (let i = from; i < to; i++, source += stride, target += outStride) out[target] = block[source] as number;
    return;
  }
  const isTransposed = depth === dimensions.length - 2 && outStride < inner.outStride;
  for (let i = from; i < to; i++) {
    const rowAt = at + i * stride;
    const rowOutAt = outAt + i * outStride;
    const whole = isTransposed && rowAt >= start ? wholeRows(stop - rowAt - extent, stride, to - i) : 0;
    if (whole > 0) {
      copyTile(block, rowAt - start, dimension, whole, inner, out, rowOutAt);
      i += whole - 1;
    } else {
      copyBlock(block, start, stop, dimensions, depth + 1, rowAt, rowOutAt, out);
    }
  }
}

/** Number of the next rows, at most TILE, that end within `room` elements. */
function wholeRows(room: number, stride: number, left: number): number {
  const fitting = stride === 0 ? left : Math.ceil(room / stride);
  return room <= 0 ? 0 : Math.min(TILE, left, fitting);
}

/** Copies `rows` rows together: neighbours in the result are written together. */
function copyTile(
  block: Elements,
  source: number,
  row: Dimension,
  rows: number,
  inner: Dimension,
  out: Elements,
  target: number,
): void {
  for (let i = 0; i < inner.size; i++) {
    let from = source + i * inner.stride;
    let to = target + i * inner.outStride;
    for (let k = 0; k < rows; k++, from += row.stride, to += row.outStride) out[to] = block[from] as number;
  }
}

function elements(buffer: ArrayBuffer, unit: number): Elements {
  if (unit === 1) return new Uint8Array(buffer);
  return unit === 2 ? new Uint16Array(buffer) : new Uint32Array(buffer);
}
