/** `gsva eval`: measures a model on a split of a dataset. */
import type { Options } from 'yargs';
import { UsageError } from '../errors.js';
import type { EvalRequest } from './eval-job.js';
import { WHOLE } from '../evaluation/record.js';
import { MODEL_OPTIONS, trainedModel } from './model-options.js';
import { EVALUATED_SPLITS, isFile, requireData } from './open-dataset.js';
import { PRECISION_OPTION } from './options.js';
import { startEngineFor } from './start-engine.js';
import { finiteNumber, oneOf, shard, someOf, text, wholeNumber } from './values.js';
import { defineVerb } from './verb.js';

const DATASETS = ['grefcoco'] as const;
const PROTOCOLS = ['strict', 'reference', 'generate'] as const;

const OPTIONS = {
  ...MODEL_OPTIONS,
  data: {
    describe: 'Folder of the dataset, or file of your own (JSON lines)',
    type: 'string',
    requiresArg: true,
    demandOption: true,
    coerce: text('data'),
  },
  dataset: {
    describe: 'Which benchmark',
    requiresArg: true,
    default: 'grefcoco',
    choices: DATASETS,
    coerce: oneOf('dataset', DATASETS),
  },
  split: {
    describe: 'Which part of the dataset',
    requiresArg: true,
    default: 'val',
    choices: EVALUATED_SPLITS,
    coerce: oneOf('split', EVALUATED_SPLITS),
  },
  protocol: {
    describe: 'How answers are scored; several may be given',
    type: 'string',
    array: true,
    requiresArg: true,
    default: ['strict'],
    choices: PROTOCOLS,
    coerce: someOf('protocol', PROTOCOLS),
  },
  limit: {
    describe: 'Only the first N images',
    requiresArg: true,
    coerce: wholeNumber('limit', { min: 1 }),
  },
  batch: {
    describe: 'Images computed at once',
    requiresArg: true,
    default: 8,
    coerce: wholeNumber('batch', { min: 1, max: 4096 }),
  },
  precision: PRECISION_OPTION,
  'reject-threshold': {
    describe: "strict, generate: [REJ] from this probability on (default: the model's own, where one is stored)",
    requiresArg: true,
    coerce: finiteNumber('reject-threshold', { min: 0, max: 1 }),
  },
  records: {
    describe: 'File for the result of every expression, written as results come (JSON lines)',
    type: 'string',
    requiresArg: true,
    coerce: text('records'),
  },
  resume: { describe: 'Go on with --records where an interrupted run ended', type: 'boolean', default: false },
  shard: {
    describe: 'Only image k with k mod COUNT = INDEX, as INDEX/COUNT; `gsva report merge` joins them',
    type: 'string',
    requiresArg: true,
    coerce: shard('shard'),
  },
  report: {
    describe: 'Folder for a report with pictures',
    type: 'string',
    requiresArg: true,
    coerce: text('report'),
  },
} satisfies Record<string, Options>;

export const evalVerb = defineVerb({
  path: ['eval'],
  describe: 'Measure a model on a dataset (gIoU, cIoU, N-acc, T-acc)',
  positionals: {},
  options: OPTIONS,
  examples: [
    ['gsva eval --data data/synth', 'the small trained model on the val split'],
    [
      'gsva eval --data data/synth --protocol strict reference generate --report runs/report',
      'all protocols, pictures',
    ],
    ['gsva eval --model runs/mine/best --data my/data.jsonl', 'your own data'],
    ['gsva eval --model runs/demo/best --data data/synth --split testA --limit 50 --json', 'for a program to read'],
    ['gsva eval --data data/synth --records runs/val.jsonl --resume', 'keep every result; go on after an interruption'],
    ['gsva eval --data data/synth --records runs/val-0.jsonl --shard 0/2', 'one half of the images'],
  ],
  async run(args, context) {
    requireData(args.data);
    const { precision, data, dataset, split, batch, resume } = args;
    if (resume && args.records === undefined)
      throw new UsageError('--resume goes on with a file: name it by --records');
    if (args.shard !== undefined && args.records === undefined) {
      throw new UsageError('--shard needs --records: the shards are joined from their files');
    }
    if (args.shard !== undefined && args.report !== undefined) {
      throw new UsageError('--report is of a whole run: join the shards, then use gsva report write');
    }
    const model = trainedModel(args);
    const request: EvalRequest = {
      model,
      precision,
      data,
      dataset: isFile(data) ? 'own' : dataset,
      split,
      protocols: args.protocol,
      limit: args.limit ?? null,
      batch,
      rejectThreshold: args['reject-threshold'] ?? null,
      records: args.records ?? null,
      resume,
      shard: args.shard ?? WHOLE,
      report: args.report ?? null,
    };
    const engine = await startEngineFor(args, context);
    const { runEval } = await import('./eval-job.js');
    return runEval(request, context, engine);
  },
});
