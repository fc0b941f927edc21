/** Where the package itself is, wherever it is used from. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of a file or folder that comes with the package (configs, checkpoints). */
export function packagePath(...parts: string[]): string {
  return resolve(fileURLToPath(new URL('..', import.meta.url)), ...parts);
}
