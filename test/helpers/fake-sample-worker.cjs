'use strict';
/** A loading thread that makes the samples of fake-samples.ts. */
require('./load-typescript.cjs');
const { parentPort, workerData } = require('node:worker_threads');
const { serveSamples } = require('../../src/data/sampling/load-sample.ts');
const { FAKE_MAKERS } = require('./fake-samples.ts');

serveSamples(parentPort, workerData, FAKE_MAKERS);
