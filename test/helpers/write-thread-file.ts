/** In place of src/io/atomic/write-thread-file.ts (see jest.config.js). */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export const WRITE_THREAD_FILE = pathToFileURL(join(__dirname, 'write-thread.cjs'));
