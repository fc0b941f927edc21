/** `gsva train`: trains a model as a configuration file says. */
import type { Options } from 'yargs';
import { UsageError } from '../errors.js';
import { launchOf } from '../training/distributed/launch.js';
import { FEATURE_CACHE_OPTIONS, featureCacheOf } from './feature-cache-options.js';
import type { TrainRequest } from './train-job.js';
import { requireData } from './open-dataset.js';
import { startEngineFor } from './start-engine.js';
import { asRank, RANK_TIMEOUT_OPTION } from './ranks.js';
import { finiteNumber, inputPath, keyValues, requireFile, text, wholeNumber } from './values.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  config: {
    describe: 'Configuration file (JSON5), see configs/',
    type: 'string',
    requiresArg: true,
    demandOption: true,
    coerce: inputPath('config'),
  },
  out: {
    describe: 'Folder for checkpoints, log and plots; with --dry-run, for pictures of the first batch',
    type: 'string',
    requiresArg: true,
    coerce: text('out'),
  },
  'dry-run': {
    describe: 'Train nothing; say what it would take: memory, updates, time, what is trained, the first batch',
    type: 'boolean',
    default: false,
  },
  ranks: {
    describe: 'With --dry-run: processes that are to train together (mpirun -np)',
    requiresArg: true,
    coerce: wholeNumber('ranks', { min: 1, max: 100_000 }),
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
    describe: 'Time of the whole run, all sittings together: the learning rate falls to 0 by then',
    requiresArg: true,
    coerce: finiteNumber('minutes', { min: 0.01, max: 525_600 }),
  },
  tensorboard: {
    describe: 'Folder for TensorBoard to watch: curves and sample pictures, one folder per run',
    type: 'string',
    requiresArg: true,
    coerce: text('tensorboard'),
  },
  ...FEATURE_CACHE_OPTIONS,
  overfit: {
    describe: 'Train on the first N samples alone; fails unless their loss becomes low',
    requiresArg: true,
    coerce: wholeNumber('overfit', { min: 1 }),
  },
  'overfit-bound': {
    describe: 'With --overfit: the highest loss at the end; default: a fifth of the first',
    requiresArg: true,
    coerce: finiteNumber('overfit-bound', { min: 0 }),
  },
  'rank-timeout': RANK_TIMEOUT_OPTION,
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
    ['gsva train --config configs/tiny.json5 --out runs/tiny --resume --minutes 15', 'go on to 15 minutes in all'],
    ['gsva train --config configs/own-data.json5 --data my/data.jsonl --out runs/mine', 'your own data'],
    ['gsva train --config configs/tiny.json5 --out runs/b --tensorboard runs/events/b', 'curves while it trains'],
    [
      'gsva train --config configs/tiny.json5 --out runs/a --feature-cache ~/features',
      'images are encoded once for all runs',
    ],
    ['gsva train --config configs/tiny.json5 --out runs/a --set training.seed=7 maxLength=300', 'other values'],
    ['gsva train --config configs/tiny.json5 --out runs/four --overfit 4', 'can it learn four samples by heart?'],
    ['gsva train --config configs/paper/vicuna-7b-pretrain.json5 --dry-run --ranks 8', 'what it would take'],
    ['mpirun -np 8 gsva train --config configs/tiny.json5 --out runs/tiny', 'eight GPUs (docs/scaling.md)'],
  ],
  async run(args, context) {
    requireFile('--config', args.config);
    if (args.data !== undefined) requireData(args.data);
    const { config, out, resume = false } = args;
    const changes = { overrides: args.set ?? [], data: args.data ?? null, minutes: args.minutes ?? null };
    if (args['dry-run']) {
      if (launchOf(process.env) !== null) {
        throw new UsageError('--dry-run is for one process: leave mpirun or srun out, and say --ranks N');
      }
      const { configOverrides } = await import('./train-job.js');
      const { runDryRun } = await import('./train-dry-run.js');
      const overrides = configOverrides(changes);
      return runDryRun({ config, overrides, ranks: args.ranks ?? 1, out: out ?? null }, args, context);
    }
    if (args['overfit-bound'] !== undefined && args.overfit === undefined)
      throw new UsageError('--overfit-bound is the bound of --overfit N; say how many samples');
    if (args.json) throw new UsageError('--json is not for train; its log in --out is JSON lines already');
    if (out === undefined) throw new UsageError('--out is missing: the folder to train into');
    if (args.ranks !== undefined)
      throw new UsageError('--ranks is for --dry-run; mpirun -np N trains with N processes');
    const request: TrainRequest = {
      config,
      out,
      resume,
      ...changes,
      tensorboard: args.tensorboard ?? null,
      overfit: args.overfit === undefined ? null : { samples: args.overfit, bound: args['overfit-bound'] ?? null },
      featureCache: featureCacheOf(args),
    };
    return asRank(args, args['rank-timeout'], context, async ({ communicator, hardware, context: ownContext }) => {
      const engine = await startEngineFor(hardware, ownContext);
      const { runTrain } = await import('./train-job.js');
      return runTrain(request, ownContext, engine, communicator);
    });
  },
});
