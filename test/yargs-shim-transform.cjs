'use strict';
/**
 * Jest transformer for yargs' platform shim alone: as an ES module it declares `__dirname` and `require`, which a
 * CommonJS module is given; so the first is renamed and the second is taken as given, then swc does the rest.
 */
const { createTransformer } = require('@swc/jest');

module.exports = {
  createTransformer(options) {
    const swc = createTransformer(options);
    const rename = (source) => source.replace(/\b__dirname\b/g, 'shimFile').replace(/^const require = .*$/m, '');
    return {
      ...swc,
      process: (source, path, transformOptions) => swc.process(rename(source), path, transformOptions),
    };
  },
};
