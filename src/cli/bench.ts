/** `gsva bench`: how fast this machine is: matrix products of the engine, and the small model at work. */
import type { Options } from 'yargs';
import type { BenchRequest } from './bench-job.js';
import { startEngineFor } from './start-engine.js';
import { packagePath, requireFolder, text, wholeNumber } from './values.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  model: {
    describe: 'Folder of a trained model',
    type: 'string',
    requiresArg: true,
    default: packagePath('checkpoints', 'tiny'),
    defaultDescription: 'checkpoints/tiny',
    coerce: text('model'),
  },
  runs: {
    describe: 'Counted runs of each measurement, after one to warm up',
    requiresArg: true,
    default: 9,
    coerce: wholeNumber('runs', { min: 1, max: 1000 }),
  },
} satisfies Record<string, Options>;

export const benchVerb = defineVerb({
  path: ['bench'],
  describe: 'Measure how fast this machine computes',
  positionals: {},
  options: OPTIONS,
  examples: [
    ['gsva bench', 'matrix products and the small model, median and spread'],
    ['gsva bench --engine wasm --threads 1 --json', 'another engine, for a program to read'],
  ],
  async run(args, context) {
    requireFolder('model', args.model);
    const request: BenchRequest = { model: args.model, runs: args.runs };
    const engine = await startEngineFor(args, context);
    const { runBench } = await import('./bench-job.js');
    return runBench(request, context, engine);
  },
});
