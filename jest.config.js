/**
 * Tests run on the sources, transformed to CommonJS by swc; native addons need Node's own typed arrays (see the
 * environment). `npm test -- test/nn` runs one folder, `npm test -- --json --outputFile=F` writes a summary.
 */
const SWC_OPTIONS = {
  jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
  module: { type: 'commonjs' },
  sourceMaps: 'inline',
};

/** Packages published as ES modules only: yargs and what it builds on. */
const ESM_ONLY = [
  'ansi-regex',
  'ansi-styles',
  'cliui',
  'emoji-regex',
  'escalade',
  'get-caller-file',
  'get-east-asian-width',
  'string-width',
  'strip-ansi',
  'wrap-ansi',
  'y18n',
  'yargs',
  'yargs-parser',
];

export default {
  testEnvironment: '<rootDir>/test/node-realm-environment.cjs',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  transform: {
    '/node_modules/yargs/lib/platform-shims/esm\\.mjs$': ['<rootDir>/test/yargs-shim-transform.cjs', SWC_OPTIONS],
    '^.+\\.(ts|js|mjs)$': ['@swc/jest', SWC_OPTIONS],
  },
  transformIgnorePatterns: [`/node_modules/(?!(${ESM_ONLY.join('|')})/)`],
  moduleNameMapper: {
    // Threads of the sources start with a file that reads TypeScript; before the rule for all './x.js'.
    '^\\./sample-worker-file\\.js$': '<rootDir>/test/helpers/sample-worker-file.ts',
    '^\\./write-thread-file\\.js$': '<rootDir>/test/helpers/write-thread-file.ts',
    // NodeNext writes './x.js' for './x.ts'.
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^webgpu$': '<rootDir>/test/helpers/dawn.cjs',
    '^@huggingface/tokenizers$': '<rootDir>/node_modules/@huggingface/tokenizers/dist/tokenizers.cjs',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.gsva/'],
  testTimeout: 120_000,
  maxWorkers: 2,
};
