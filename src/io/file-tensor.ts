/** A tensor in a file, read on demand, so that a checkpoint is never in memory as a whole. */
import { UserError } from '../errors.js';
import { bfloat16ToFloat32, halfToFloat32 } from '../half-float.js';
import { type Dtype, type Fail, isRead, notRead, type ReadDtype } from './safetensors/safetensors-header.js';

/** The array of a type as stored. */
const ARRAYS = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  I32: Int32Array,
  U32: Uint32Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} satisfies Readonly<Record<ReadDtype, new (buffer: ArrayBuffer) => unknown>>;

export type TensorData = (typeof ARRAYS)[ReadDtype]['prototype'];

/** @throws by `fail` for a type that is listed alone, and for a BOOL other than 0 and 1 */
export function numbersIn(buffer: ArrayBuffer, dtype: Dtype, fail: Fail): TensorData {
  if (!isRead(dtype)) return fail(notRead(dtype));
  const data: TensorData = new ARRAYS[dtype](buffer);
  const odd = dtype === 'BOOL' ? (data as Uint8Array).findIndex((value) => value > 1) : -1;
  if (odd >= 0) fail(`it is BOOL but element ${odd} is ${String(data[odd])}`);
  return data;
}

/** A tensor as stored: F16 and BF16 are raw 16-bit patterns in a Uint16Array, BOOL is a Uint8Array of 0 and 1. */
export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export interface FileTensor extends Omit<StoredTensor, 'data'> {
  /** Numbers in row-major order, read again each time. @throws UserError that names file and tensor */
  readonly read: () => TensorData;
  /** The file, for errors; absent for a computed tensor. */
  readonly source?: string;
}

export type FileTensors = ReadonlyMap<string, FileTensor>;

/** A tensor that is in memory already. */
export function inMemory({ dtype, shape, data }: StoredTensor): FileTensor {
  return { dtype, shape, read: () => data };
}

/**
 * A stored tensor's values as float32: exact for F32, F16, BF16, BOOL and small integers; F64 is rounded.
 * @throws UserError for an integer that float32 cannot hold exactly
 */
export function toFloat32(tensor: StoredTensor, name = 'tensor'): Float32Array {
  const { dtype, data } = tensor;
  if (data instanceof Float32Array) return data;
  if (data instanceof Uint16Array && dtype === 'F16') return halfToFloat32(data);
  if (data instanceof Uint16Array && dtype === 'BF16') return bfloat16ToFloat32(data);
  if (data instanceof Float64Array) return Float32Array.from(data);
  const out = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]);
    out[i] = value;
    if (out[i] !== value || !Number.isSafeInteger(value)) {
      throw new UserError(
        `"${name}" (${dtype}): element ${i} is ${String(data[i])}, which float32 cannot hold exactly.`,
      );
    }
  }
  return out;
}
