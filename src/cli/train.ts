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
  resume: { describe: 'Continue from the last checkpoint in --out', type: 'boolean', default: false },
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
  'feature-cache': {
    describe: 'Folder that keeps what the frozen encoders say of the images, from run to run; ranks may share it',
    type: 'string',
    requiresArg: true,
    coerce: text('feature-cache'),
  },
  'feature-cache-gb': {
    describe: 'Largest size of --feature-cache, in GB (default: 100)',
    requiresArg: true,
    coerce: finiteNumber('feature-cache-gb', { min: 0.001, max: 1e6 }),
  },
  'feature-cache-dtype': {
    describe: 'Numbers in --feature-cache: f32 (default) is exact, bf16 takes half the room',
    choices: ['f32', 'bf16'] as const,
    requiresArg: true,
  },
  'rank-timeout': {
    describe: 'Under mpirun: end when a process shows no progress for so many seconds',
    requiresArg: true,
    default: 600,
    coerce: finiteNumber('rank-timeout', { min: 1, max: 86_400 }),
  },
} satisfies Record<string, Options>;

export const trainVerb = defineVerb({
  path: ['train'],
  describe: 'Train a model',
  positionals: {},
  options: OPTIONS,
  examples: [
    ['gsva train --config configs/tiny.json5 --out runs/tiny', 'the small model'],
    ['gsva train --config configs/tiny.json5 --out runs/tiny --resume', 'go on after a stop'],
    ['gsva train --config configs/own-data.json5 --data my/data.jsonl --out runs/mine', 'your own data'],
    ['gsva train --config configs/tiny.json5 --out runs/b --tensorboard runs/events/b', 'curves while it trains'],
    [
      'gsva train --config configs/tiny.json5 --out runs/a --feature-cache ~/features',
      'images are encoded once for all runs',
    ],
    ['gsva train --config configs/tiny.json5 --out runs/a --set training.seed=7 maxLength=300', 'other values'],
    ['mpirun -np 8 gsva train --config configs/tiny.json5 --out runs/tiny', 'eight GPUs (docs/scaling.md)'],
  ],
  async run(args, context) {
    requireFile('--config', args.config);
    if (args.data !== undefined) requireData(args.data);
    if (args.json) throw new UsageError('--json is not for train; its log in --out is JSON lines already');
    const { config, out, resume } = args;
    const { 'feature-cache': dir, 'feature-cache-gb': gigabytes, 'feature-cache-dtype': dtype } = args;
    if (dir === undefined && (gigabytes !== undefined || dtype !== undefined)) {
      throw new UsageError('--feature-cache-gb and --feature-cache-dtype are of --feature-cache, which is not given');
    }
    const request: TrainRequest = {
      config,
      out,
      resume,
      overrides: args.set ?? [],
      data: args.data ?? null,
      minutes: args.minutes ?? null,
      tensorboard: args.tensorboard ?? null,
      featureCache: dir === undefined ? null : { dir, gigabytes: gigabytes ?? 100, dtype: dtype ?? 'f32' },
    };
    return asRank(args, args['rank-timeout'], context, async ({ communicator, hardware, context: ownContext }) => {
      const engine = await startEngineFor(hardware, ownContext);
      const { runTrain } = await import('./train-job.js');
      return runTrain(request, ownContext, engine, communicator);
    });
  },
});
