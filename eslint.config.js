/**
 * Lint rules: typescript-eslint's strict type-checked and stylistic sets, plus the house rules of this project:
 * one import of TensorFlow.js, seeded randomness only, no console in the library.
 */
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const NODE_GLOBALS = {
  process: 'readonly',
  console: 'readonly',
  URL: 'readonly',
  require: 'readonly',
  module: 'writable',
  __dirname: 'readonly',
  AbortController: 'readonly',
};

export default tseslint.config(
  { ignores: ['node_modules/', 'dist/', 'runs/', '.gsva/', 'coverage/', 'test/fixtures/', 'checkpoints/', 'data/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error', noInlineConfig: true } },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'no-restricted-properties': [
        'error',
        {
          object: 'Math',
          property: 'random',
          message: 'Use a seeded Random (src/random.ts) that the caller passes in.',
        },
      ],
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['@tensorflow/*'], message: "Import tf from 'src/engine/tf.js': one tfjs-core only." }] },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // `(a[i] as number) * b` is how typed arrays are read under noUncheckedIndexedAccess; `!` stays forbidden.
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      // Numeric loops over several arrays at once read better with an index.
      '@typescript-eslint/prefer-for-of': 'off',
      // JSON that is being checked is read as record['key']: it may be missing.
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
      // `[...text]` is how a text is taken apart into code points.
      '@typescript-eslint/no-misused-spread': ['error', { allow: ['string'] }],
      // A sink such as `() => stream.end()` is clearer without braces.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Commands, data sources and backends implement async interfaces, some without waiting for anything.
      '@typescript-eslint/require-await': 'off',
      // tf.layers.Layer is configured by static className; a class may be static where the API wants one.
      '@typescript-eslint/no-extraneous-class': ['error', { allowStaticOnly: true }],
      '@typescript-eslint/unified-signatures': 'off',
    },
  },
  {
    files: ['src/engine/**/*.ts'],
    rules: { 'no-restricted-imports': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // Jest's expect(spy.method) style and JSON fixtures are checked by the assertions themselves.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
  {
    files: ['**/*.js', '**/*.cjs', '**/*.mjs'],
    languageOptions: { globals: NODE_GLOBALS },
  },
);
