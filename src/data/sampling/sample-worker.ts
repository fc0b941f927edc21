/** The file that a loading thread starts from (see load-sample.ts). */
import { parentPort, workerData } from 'node:worker_threads';
import { type LoadSettings, serveSamples } from './load-sample.js';

if (parentPort === null) throw new Error('sample-worker: it runs in a worker thread only');
serveSamples(parentPort, workerData as LoadSettings);
