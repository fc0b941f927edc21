/** Tensors to be written: named, read one at a time, in the type of the file. */
import { UserError } from '../errors.js';
import { type FileTensor, type TensorData } from './file-tensor.js';
import { bfloat16ToFloat32, firstOverflow, float32ToBfloat16, float32ToHalf, halfToFloat32 } from '../half-float.js';
import { DTYPE_BYTES } from './safetensors/safetensors-header.js';

/** A tensor to be written. `read` is called once and returns its numbers in row-major order. */
export interface TensorOutput extends FileTensor {
  readonly name: string;
}

export type WeightDtype = 'F32' | 'F16' | 'BF16';
type FloatDtype = WeightDtype | 'F64';

/** Numbers converted at a time: they stay in the processor's cache. */
const BLOCK = 2 ** 15;

/** Pieces of a tensor's bytes; typed arrays of bytes end at 2^32, systems' writes at 2^31. */
const LARGEST_PIECE = 2 ** 30;

export function byteCount({ dtype, shape }: Pick<FileTensor, 'dtype' | 'shape'>): number {
  return shape.reduce((product, size) => product * size, DTYPE_BYTES[dtype]);
}

export function named(name: string, tensor: FileTensor): TensorOutput {
  return { name, dtype: tensor.dtype, shape: tensor.shape, read: () => tensor.read() };
}

/** Throws for a name that occurs twice: a tensor would be lost. */
export function checkNames(tensors: readonly TensorOutput[]): void {
  const seen = new Set<string>();
  for (const { name } of tensors) {
    if (seen.has(name)) throw new Error(`two tensors to be written are called ${JSON.stringify(name)}`);
    seen.add(name);
  }
}

/** Bytes of a tensor in pieces, which share its memory. */
export function outputBytes(tensor: TensorOutput): Uint8Array[] {
  const { buffer, byteOffset, byteLength } = tensor.read();
  const expected = byteCount(tensor);
  if (byteLength !== expected) {
    const what = `"${tensor.name}" (${tensor.dtype}, shape [${tensor.shape.join(', ')}])`;
    throw new Error(`${what} should have ${expected} bytes, but ${byteLength} were read`);
  }
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < byteLength; at += LARGEST_PIECE) {
    pieces.push(new Uint8Array(buffer, byteOffset + at, Math.min(LARGEST_PIECE, byteLength - at)));
  }
  return pieces;
}

/**
 * The tensor in another floating type: widened exactly, narrowed to the nearest number, ties to even (F64 by way of
 * float32, as PyTorch does). Other tensors stay unchanged.
 * @throws UserError (from `read`) for a finite number that the type cannot hold
 */
export function converted(tensor: FileTensor, dtype: WeightDtype, name: string): FileTensor {
  const { dtype: from, shape } = tensor;
  if (from === dtype || !(from === 'F64' || from === 'F32' || from === 'F16' || from === 'BF16')) return tensor;
  return { dtype, shape, read: () => convert(tensor.read(), from, dtype, name) };
}

function convert(source: TensorData, from: FloatDtype, to: WeightDtype, name: string): TensorData {
  const out = to === 'F32' ? new Float32Array(source.length) : new Uint16Array(source.length);
  const scratch = new Float32Array(Math.min(BLOCK, source.length));
  for (let start = 0; start < source.length; start += BLOCK) {
    const part = source.subarray(start, start + BLOCK);
    const target = out.subarray(start, start + BLOCK);
    const isWide = target instanceof Float32Array;
    const values = widened(part, from, isWide ? target : scratch.subarray(0, part.length));
    const lost = firstLost(part, values, to);
    if (lost >= 0) {
      const value = Number(part instanceof Float64Array ? part[lost] : values[lost]);
      const wider = to === 'F16' ? 'bf16 or f32' : 'f32';
      throw new UserError(`Tensor "${name}" holds ${value}, which ${to} cannot hold; store it as ${wider}.`);
    }
    if (isWide) continue;
    if (to === 'F16') float32ToHalf(values, target);
    else float32ToBfloat16(values, target);
  }
  return out;
}

/** Index of the first finite number that `to` cannot hold; -1 when there is none. `values` is `part` as float32. */
function firstLost(part: TensorData, values: Float32Array, to: WeightDtype): number {
  if (part instanceof Float64Array) {
    const lost = part.findIndex((value, i) => Number.isFinite(value) && !Number.isFinite(values[i]));
    if (lost >= 0) return lost;
  }
  return to === 'F32' ? -1 : firstOverflow(values, to);
}

/** The numbers as float32, in `out` unless they are already. */
function widened(source: TensorData, from: FloatDtype, out: Float32Array): Float32Array {
  if (source instanceof Uint16Array) {
    return from === 'F16' ? halfToFloat32(source, out) : bfloat16ToFloat32(source, out);
  }
  if (source instanceof Float32Array) return source;
  if (!(source instanceof Float64Array)) throw new Error(`numbers of type ${from} were read as something else`);
  out.set(source);
  return out;
}
