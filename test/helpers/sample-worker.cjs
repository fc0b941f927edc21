'use strict';
/** A loading thread as it is, from the sources. */
require('./load-typescript.cjs');
require('../../src/data/sampling/sample-worker.ts');
