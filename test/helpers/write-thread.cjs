'use strict';
/** A writing thread as it is, from the sources. */
require('./load-typescript.cjs');
require('../../src/io/atomic/write-thread.ts');
