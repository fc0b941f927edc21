import { UserError } from '../../src/errors.js';
import type { ByteSource, Opener } from '../../src/io/byte-source.js';

/** Bytes in memory as a file. @param name stands for the path in errors */
export function memoryOpener(bytes: Uint8Array, name: string): Opener {
  const source: ByteSource = {
    size: bytes.length,
    readInto(position, target) {
      if (position + target.length > bytes.length) {
        throw new UserError(
          `Cannot read ${name}: ${position + target.length} bytes are needed, ${bytes.length} there.`,
        );
      }
      target.set(bytes.subarray(position, position + target.length));
    },
  };
  return (use) => use(source);
}
