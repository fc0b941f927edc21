/** `gsva bench`: how fast this machine is: a training step, an evaluated image, the model's parts, matrix products. */
import type { Options } from 'yargs';
import { PARTS } from '../benchmark/part-names.js';
import { packagePath } from '../program.js';
import type { BenchRequest } from './bench-job.js';
import { FROZEN_WEIGHTS_OPTION } from './options.js';
import { startEngineFor } from './start-engine.js';
import { inputPath, requireFile, someOf, text, wholeNumber } from './values.js';
import { defineVerb } from './verb.js';

const NAMES = [...Object.values(PARTS), 'products', 'loading', 'epochs'] as const;

const OPTIONS = {
  config: {
    describe: 'Sizes of the model and of its batch',
    type: 'string',
    requiresArg: true,
    default: packagePath('configs', 'bench-small', 'config.json5'),
    defaultDescription: 'configs/bench-small/config.json5',
    coerce: inputPath('config'),
  },
  runs: {
    describe: 'Counted runs of each measurement, after one to warm up',
    requiresArg: true,
    default: 7,
    coerce: wholeNumber('runs', { min: 1, max: 1000 }),
  },
  only: {
    describe: `What to measure (default: all): ${NAMES.join(', ')}`,
    type: 'array',
    string: true,
    coerce: someOf('only', NAMES),
  },
  'frozen-weights': FROZEN_WEIGHTS_OPTION,
  profile: {
    describe: 'List where the time goes, kernel by kernel, instead',
    type: 'boolean',
    default: false,
  },
  pytorch: {
    describe: 'A Python with PyTorch: measure the published implementation beside it',
    type: 'string',
    requiresArg: true,
    coerce: text('pytorch'),
  },
} satisfies Record<string, Options>;

export const benchVerb = defineVerb({
  path: ['bench'],
  describe: 'Measure how fast this machine computes',
  positionals: {},
  options: OPTIONS,
  examples: [
    ['gsva bench', 'a training step, an evaluated image, parts of the model, matrix products'],
    ['gsva bench --only "training step" --profile', 'the kernels that a training step spends its time in'],
    ['gsva bench --only loading', 'samples per second of one loading thread, and whether a training step waits'],
    ['gsva bench --only epochs', 'first epochs beside later ones, whose images need not be encoded again'],
    ['gsva bench --engine wasm --threads 1 --json', 'another engine, for a program to read'],
    ['gsva bench --pytorch venv/bin/python', 'side by side with PyTorch (configs/bench-small/requirements.txt)'],
  ],
  async run(args, context) {
    requireFile('--config', args.config);
    const { config, runs, only = [...NAMES], profile, pytorch = null, 'frozen-weights': frozenWeights = 'f32' } = args;
    const request: BenchRequest = { config, runs, only, profile, pytorch, frozenWeights };
    const engine = await startEngineFor(args, context);
    const { runBench } = await import('./bench-job.js');
    return runBench(request, context, engine);
  },
});
