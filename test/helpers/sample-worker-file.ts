/** In place of src/data/sampling/sample-worker-file.ts (see jest.config.js). */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export const SAMPLE_WORKER_FILE = pathToFileURL(join(__dirname, 'sample-worker.cjs'));
