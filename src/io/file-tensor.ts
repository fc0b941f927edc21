/** A tensor that lies in a file and is read when it is asked for, so that a checkpoint is never in memory whole. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { UserError, messageOf } from '../errors.js';
import type { Dtype } from './safetensors/safetensors-header.js';

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

/** A tensor as stored: F16 and BF16 are raw 16-bit patterns in a Uint16Array, BOOL is a Uint8Array of 0 and 1. */
export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export interface FileTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Its numbers in row-major order, as stored; read again each time. Throws a UserError that names file and tensor. */
  readonly read: () => TensorData;
  /** The file that it lies in, for errors; absent where it is computed. */
  readonly source?: string;
}

/** Tensors by name, as a file has them. */
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

/** Fills `target` with the bytes from `position` on. */
export function readInto(file: number, position: number, target: Uint8Array): void {
  for (let at = 0; at < target.length;) {
    const count = readSync(file, target, at, Math.min(LARGEST_READ, target.length - at), position + at);
    if (count === 0) throw new Error('the file became shorter while it was read');
    at += count;
  }
}

/**
 * Opens a file for the time of `use`.
 * @param format what it should be, for errors: 'safetensors'
 * @param size what the file must have, where it has been read before
 * @throws UserError that names the file, for anything that fails
 */
export function withFile<T>(
  path: string,
  format: string,
  use: (file: number, size: number) => T,
  size: number | null = null,
): T {
  const fail = (what: string): never => {
    throw new UserError(`Cannot read ${path} as ${format}: ${what}.`);
  };
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
