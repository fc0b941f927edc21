/** Bytes that are read piece by piece: an open file, or a buffer in tests. */
import { readInto, withFile } from './file-tensor.js';

export interface ByteSource {
  readonly size: number;
  readInto(position: number, target: Uint8Array): void;
}

/** Opens a source for the time of `use`, once per tensor. */
export type Opener = <T>(use: (source: ByteSource) => T) => T;

/**
 * Opens a file each time.
 * @param format for errors
 * @throws UserError that names the file; also when its size has changed
 */
export function fileOpener(path: string, format: string): Opener {
  let expected: number | null = null;
  return (use) =>
    withFile(
      path,
      format,
      (file, size) => {
        expected = size;
        return use({ size, readInto: (position, target) => readInto(file, position, target) });
      },
      expected,
    );
}

/** Existing bytes [position, position + length). */
export function readPart(source: ByteSource, position: number, length: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  source.readInto(position, bytes);
  return bytes;
}
