'use strict';
require('./load-typescript.cjs');
require('./cache-process.ts');
