/** A tensor in a file, read on demand, so that a checkpoint is never in memory as a whole. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { UserError, messageOf } from '../errors.js';
import { type Dtype, type Fail, isRead, notRead, type ReadDtype } from './safetensors/safetensors-header.js';

export type TensorData =
  | Float32Array
  | Float64Array
  | Uint16Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Int8Array
  | Uint8Array;

/** The array of a type as stored. */
const ARRAYS: Readonly<Record<ReadDtype, new (buffer: ArrayBuffer) => TensorData>> = {
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
};

/** @throws by `fail` for a type that is listed alone, and for a BOOL other than 0 and 1 */
export function numbersIn(buffer: ArrayBuffer, dtype: Dtype, fail: Fail): TensorData {
  if (!isRead(dtype)) return fail(notRead(dtype));
  const data = new ARRAYS[dtype](buffer);
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

export interface FileTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Numbers in row-major order, read again each time. @throws UserError that names file and tensor */
  readonly read: () => TensorData;
  /** The file, for errors; absent for a computed tensor. */
  readonly source?: string;
}

export type FileTensors = ReadonlyMap<string, FileTensor>;

/** readSync takes at most 2^31 - 1 bytes at a time. */
const LARGEST_READ = 2 ** 30;

/** A tensor that is in memory already. */
export function inMemory({ dtype, shape, data }: StoredTensor): FileTensor {
  return { dtype, shape, read: () => data };
}

/** Bytes [position, position + length) of an open file, in a buffer of their own (aligned for every type). */
export function readBytes(file: number, position: number, length: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  readInto(file, position, bytes);
  return bytes;
}

export function readInto(file: number, position: number, target: Uint8Array): void {
  for (let at = 0; at < target.length;) {
    const count = readSync(file, target, at, Math.min(LARGEST_READ, target.length - at), position + at);
    if (count === 0) throw new Error('the file became shorter while it was read');
    at += count;
  }
}

/** Throws the error of a file that should be of a format. */
export function cannotRead(path: string, format: string): Fail {
  return (what) => {
    throw new UserError(`Cannot read ${path} as ${format}: ${what}.`);
  };
}

/**
 * Opens a file for the time of `use`.
 * @param format for errors: 'safetensors'
 * @param size at the first reading, where there was one
 * @throws UserError that names the file, for any failure
 */
export function withFile<T>(
  path: string,
  format: string,
  use: (file: number, size: number) => T,
  size: number | null = null,
): T {
  const fail = cannotRead(path, format);
  // Asked before opening: opening a pipe would wait for its writer.
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return fail('there is no such file; check the path');
  if (!found.isFile()) return fail('it is not a file');
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    return fail(messageOf(error));
  }
  try {
    const { size: present } = fstatSync(file);
    if (size !== null && present !== size) fail(`it has ${present} bytes now, ${size} when it was opened`);
    return use(file, present);
  } catch (error) {
    if (error instanceof UserError) throw error;
    return fail(messageOf(error));
  } finally {
    closeSync(file);
  }
}
