/** Tests run on the sources, transformed to CommonJS by swc; native addons need Node's own typed arrays. */
export default {
  testEnvironment: '<rootDir>/test/node-realm-environment.cjs',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: [],
  transform: {
    '^.+\\.(ts|js|mjs)$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  transformIgnorePatterns: ['node_modules/(?!(yargs|yargs-parser|cliui|y18n|string-width|strip-ansi|ansi-regex|wrap-ansi|get-east-asian-width|emoji-regex|get-caller-file|escalade|ansi-styles)/)'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1', '^@huggingface/tokenizers$': '<rootDir>/node_modules/@huggingface/tokenizers/dist/tokenizers.cjs' },
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  testTimeout: 120000,
  maxWorkers: 2,
};
