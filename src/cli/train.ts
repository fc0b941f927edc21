/** `gsva train`: trains a model as a configuration file says. */
import type { Options } from 'yargs';
import { UsageError } from '../errors.js';
import type { TrainRequest } from './train-job.js';
import { requireData } from './open-dataset.js';
import { startEngineFor } from './start-engine.js';
import { asRank } from './train-ranks.js';
import { finiteNumber, keyValues, requireFile, text } from './values.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  config: {
    describe: 'Configuration file (JSON5), see configs/',
    type: 'string',
    requiresArg: true,
    demandOption: true,
    coerce: text('config'),
  },
  out: {
    describe: 'Folder for checkpoints, log and plots',
    type: 'string',
    requiresArg: true,
    demandOption: true,
    coerce: text('out'),
  },
  set: {
    describe: 'Replace a key of the configuration: --set key=value',
    type: 'string',
    array: true,
    requiresArg: true,
    coerce: keyValues('set'),
  },
  resume: {
    describe: 'Continue from the last checkpoint in --out; auto: from the newest that loads, or start anew',
    type: 'string',
    coerce: resumeMode,
  },
  data: {
    describe: "Dataset instead of the configuration's: a folder, or a file of your own (JSON lines)",
    type: 'string',
    requiresArg: true,
    coerce: text('data'),
  },
  minutes: {
    describe: 'Stop after this time',
    requiresArg: true,
    coerce: finiteNumber('minutes', { min: 0.01, max: 525_600 }),
  },
  tensorboard: {
    describe: 'Folder for TensorBoard to watch: curves and sample pictures, one folder per run',
    type: 'string',
    requiresArg: true,
    coerce: text('tensorboard'),
  },
  'rank-timeout': {
    describe: 'Under mpirun: end when a process shows no progress for so many seconds',
    requiresArg: true,
    default: 600,
    coerce: finiteNumber('rank-timeout', { min: 1, max: 86_400 }),
  },
} satisfies Record<string, Options>;

/** `--resume`, `--resume auto`. */
function resumeMode(value: unknown): true | 'auto' {
  if (value === '') return true;
  if (value === 'auto') return 'auto';
  throw new UsageError(`--resume is given alone or as --resume auto, not ${JSON.stringify(value)}`);
}

export const trainVerb = defineVerb({
  path: ['train'],
  describe: 'Train a model',
  positionals: {},
  options: OPTIONS,
  examples: [
    ['gsva train --config configs/tiny.json5 --out runs/tiny', 'the small model'],
    ['gsva train --config configs/tiny.json5 --out runs/tiny --resume', 'go on after a stop'],
    ['gsva train --config configs/tiny.json5 --out runs/tiny --resume auto', 'start, or go on: for schedulers'],
    ['gsva train --config configs/own-data.json5 --data my/data.jsonl --out runs/mine', 'your own data'],
    ['gsva train --config configs/tiny.json5 --out runs/b --tensorboard runs/events/b', 'curves while it trains'],
    ['gsva train --config configs/tiny.json5 --out runs/a --set training.seed=7 maxLength=300', 'other values'],
    ['mpirun -np 8 gsva train --config configs/tiny.json5 --out runs/tiny', 'eight GPUs (docs/scaling.md)'],
  ],
  async run(args, context) {
    requireFile('--config', args.config);
    if (args.data !== undefined) requireData(args.data);
    if (args.json) throw new UsageError('--json is not for train; its log in --out is JSON lines already');
    const { config, out, resume = false } = args;
    const request: TrainRequest = {
      config,
      out,
      resume,
      overrides: args.set ?? [],
      data: args.data ?? null,
      minutes: args.minutes ?? null,
      tensorboard: args.tensorboard ?? null,
    };
    return asRank(args, args['rank-timeout'], context, async ({ communicator, hardware, context: ownContext }) => {
      const engine = await startEngineFor(hardware, ownContext);
      const { runTrain } = await import('./train-job.js');
      return runTrain(request, ownContext, engine, communicator);
    });
  },
});
