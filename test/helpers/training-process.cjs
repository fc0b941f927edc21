'use strict';
/** A process that trains, from the sources; the writing thread, too. */
const Module = require('node:module');
require('./load-typescript.cjs');

const resolve = Module._resolveFilename;
Module._resolveFilename = (request, ...rest) =>
  resolve(request === './write-thread-file.js' ? require.resolve('./write-thread-file.ts') : request, ...rest);
require('./training-process.ts');
