/** Bytes that are read piece by piece: an open file, or a buffer (tests try a million damaged files in memory). */
import { readInto, withFile } from './file-tensor.js';

export interface ByteSource {
  readonly size: number;
  /** Fills `target` with the bytes from `position` on. */
  readInto(position: number, target: Uint8Array): void;
}

/** Opens a source for the time of `use`; again and again, as tensors are asked for. */
export type Opener = <T>(use: (source: ByteSource) => T) => T;

/**
 * Opens a file each time.
 * @param format what it should be, for errors
 * @throws UserError that names the file; also when its size is not what it was the first time
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

/** Bytes [position, position + length), which the caller knows to be there. */
export function readPart(source: ByteSource, position: number, length: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  source.readInto(position, bytes);
  return bytes;
}
