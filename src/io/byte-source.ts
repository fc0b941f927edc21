/** Bytes that are read piece by piece: an open file, or a buffer in tests. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { UserError, messageOf } from '../errors.js';
import { describeStandIn, HEAD_BYTES } from './file-kind.js';
import type { Fail } from './safetensors/safetensors-header.js';

export interface ByteSource {
  readonly size: number;
  readInto(position: number, target: Uint8Array): void;
}

/** Opens a source for the time of `use`, once per tensor. */
export type Opener = <T>(use: (source: ByteSource) => T) => T;

/** readSync takes at most 2^31 - 1 bytes at a time. */
const LARGEST_READ = 2 ** 30;

/** Throws the error of a file that should be of a format. */
export function cannotRead(path: string, format: string): Fail {
  return (what) => {
    throw new UserError(`Cannot read ${path} as ${format}: ${what}.`);
  };
}

/**
 * Opens a file each time.
 * @param format for errors: 'safetensors'
 * @throws UserError that names the file, for any failure; also when its size has changed
 */
export function fileOpener(path: string, format: string): Opener {
  const fail = cannotRead(path, format);
  let expected: number | null = null;
  return (use) => {
    // Asked before opening: opening a pipe would wait for its writer.
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return fail('there is no such file; check the path');
    if (!found.isFile()) return fail('it is not a file');
    let file: number | null = null;
    try {
      file = openSync(path, 'r');
      const { size } = fstatSync(file);
      expected ??= size;
      if (size !== expected) fail(`it has ${size} bytes now, ${expected} when it was opened`);
      return use({ size, readInto: readInto.bind(null, file) });
    } catch (error) {
      if (error instanceof UserError) throw error;
      return fail(messageOf(error));
    } finally {
      if (file !== null) closeSync(file);
    }
  };
}

function readInto(file: number, position: number, target: Uint8Array): void {
  for (let at = 0; at < target.length;) {
    const count = readSync(file, target, at, Math.min(LARGEST_READ, target.length - at), position + at);
    if (count === 0) throw new Error('the file became shorter while it was read');
    at += count;
  }
}

/** Existing bytes [position, position + length), in a buffer of their own (aligned for every type). */
export function readPart(source: ByteSource, position: number, length: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  source.readInto(position, bytes);
  return bytes;
}

/** As describeStandIn, by path; null also where the file cannot be opened. */
export function describeStandInAt(path: string, isJson = false): string | null {
  try {
    return describeStandIn(headOf(path), isJson);
  } catch {
    return null;
  }
}

/** A file's first bytes. @throws Error of the system */
export function headOf(path: string): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  const file = openSync(path, 'r');
  try {
    return head.subarray(0, readSync(file, head, 0, head.length, 0));
  } finally {
    closeSync(file);
  }
}
