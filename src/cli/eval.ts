/** `gsva eval`: measures a model on a split of a dataset. */
import type { Options } from 'yargs';
import { EVALUATED_NAMES, hasExpressions } from '../data/evaluated-sets.js';
import { QUESTION_SETTINGS } from '../systems/gsva/question-forms.js';
import { UsageError } from '../errors.js';
import { FEATURE_CACHE_OPTIONS, featureCacheOf } from './feature-cache-options.js';
import type { EvalRequest } from './eval-job.js';
import { WHOLE } from '../evaluation/records/record.js';
import { MODEL_OPTIONS, REJECT_THRESHOLD_OPTION, trainedModel } from './model-options.js';
import { isFile, requireData, splitOf } from './open-dataset.js';
import { PRECISION_OPTION } from './options.js';
import { asRank, RANK_TIMEOUT_OPTION } from './ranks.js';
import { startEngineFor } from './start-engine.js';
import { oneOf, shard, someOf, text, wholeNumber } from './values.js';
import { defineVerb } from './verb.js';
import { gsvaCommand } from '../program.js';

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
    describe: 'Which benchmark (default: grefcoco, or what the file of your own holds)',
    requiresArg: true,
    choices: EVALUATED_NAMES,
    coerce: oneOf('dataset', EVALUATED_NAMES),
  },
  split: {
    describe: 'Which part of the dataset (default: val; refzom: test, ade20k: validation)',
    type: 'string',
    requiresArg: true,
    coerce: text('split'),
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
  question: {
    describe:
      'How expressions are asked for: by default as published for the protocol reference and as the model was trained ' +
      'for the others; or for all of them as published, as trained, or in one of the forms of Table 6',
    requiresArg: true,
    default: 'default',
    choices: QUESTION_SETTINGS,
    coerce: oneOf('question', QUESTION_SETTINGS),
  },
  'minimum-pixels': {
    describe: "A mask of fewer pixels counts as [REJ]; LISA's rule has 50",
    requiresArg: true,
    default: 0,
    coerce: wholeNumber('minimum-pixels', { min: 0, max: 1_000_000 }),
  },
  'honour-ignore': {
    describe: 'reason_seg: leave ignored regions out; as published they belong to the target',
    type: 'boolean',
    default: false,
  },
  'skip-bad': {
    describe: 'Leave images out that are missing or damaged, and count them, instead of stopping',
    type: 'boolean',
    default: false,
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
  'reject-threshold': REJECT_THRESHOLD_OPTION,
  records: {
    describe: 'File for the result of every expression, written as results come (JSON lines)',
    type: 'string',
    requiresArg: true,
    coerce: text('records'),
  },
  resume: { describe: 'Go on with --records where an interrupted run ended', type: 'boolean', default: false },
  shard: {
    describe: `Only image k with k mod COUNT = INDEX, as INDEX/COUNT; \`${gsvaCommand('report merge')}\` joins them`,
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
  ...FEATURE_CACHE_OPTIONS,
  'rank-timeout': RANK_TIMEOUT_OPTION,
} satisfies Record<string, Options>;

export const evalVerb = defineVerb({
  path: ['eval'],
  describe: 'Measure a model on a benchmark of the paper, or on your own data',
  positionals: {},
  options: OPTIONS,
  examples: [
    ['gsva eval --data data/synth', 'the small trained model on the val split'],
    [
      'gsva eval --data data/synth --protocol strict reference generate --report runs/report',
      'all protocols, pictures',
    ],
    ['gsva eval --model runs/mine/best --data my/data.jsonl', 'your own data'],
    ['gsva eval --data data --dataset refcoco+ --split testA --protocol reference', 'classic RES and REC'],
    ['gsva eval --data data --dataset reason_seg --honour-ignore', 'reasoning; ignored regions left out'],
    ['gsva eval --model runs/demo/best --data data/synth --split testA --limit 50 --json', 'for a program to read'],
    ['gsva eval --data data/synth --records runs/val.jsonl --resume', 'keep every result; go on after an interruption'],
    ['gsva eval --data data/synth --records runs/val-0.jsonl --shard 0/2', 'one half of the images'],
    ['mpirun -np 8 gsva eval --data data/synth --records runs/val.jsonl', 'eight GPUs'],
  ],
  async run(args, context) {
    requireData(args.data);
    const { precision, data, batch, resume, question } = args;
    const dataset = datasetOf(data, args.dataset);
    if (question !== 'default' && !hasExpressions(dataset)) {
      throw new UsageError(`--question is of sets with expressions; the questions of ${dataset} are its own`);
    }
    if (args['honour-ignore'] && dataset !== 'reason_seg') {
      throw new UsageError(`--honour-ignore is of reason_seg; ${dataset} has no ignored regions`);
    }
    if (resume && args.records === undefined)
      throw new UsageError('--resume goes on with a file: name it by --records');
    if (args.shard !== undefined && args.records === undefined) {
      throw new UsageError('--shard needs --records: the shards are joined from their files');
    }
    if (args.shard !== undefined && args.report !== undefined) {
      throw new UsageError(
        `--report is of a whole run: join the shards (${gsvaCommand('report merge')}), then ${gsvaCommand('report write')}`,
      );
    }
    const model = trainedModel(args);
    const request: EvalRequest = {
      model,
      precision,
      data,
      dataset,
      split: splitOf(dataset, args.split),
      question,
      minimumPixels: args['minimum-pixels'],
      honourIgnore: args['honour-ignore'],
      skipBad: args['skip-bad'],
      protocols: args.protocol,
      limit: args.limit ?? null,
      batch,
      rejectThreshold: args['reject-threshold'] ?? null,
      records: args.records ?? null,
      resume,
      shard: args.shard ?? WHOLE,
      report: args.report ?? null,
      featureCache: featureCacheOf(args),
    };
    return asRank(args, args['rank-timeout'], context, async ({ communicator, hardware, context: ownContext }) => {
      const { records } = request;
      if (communicator.size > 1 && (records === null || args.shard !== undefined)) {
        throw new UsageError(
          'under mpirun each process has a shard: name a file that all can reach by --records, no --shard',
        );
      }
      const engine = await startEngineFor(hardware, ownContext);
      if (communicator.size > 1 && records !== null) {
        const { runEvalRanks } = await import('./eval-ranks.js');
        return runEvalRanks({ ...request, records }, ownContext, engine, communicator);
      }
      const { runEval } = await import('./eval-job.js');
      return runEval(request, ownContext, engine);
    });
  },
});

function datasetOf(data: string, dataset: string | undefined): string {
  if (!isFile(data)) return dataset ?? 'grefcoco';
  if (dataset === undefined) return 'own';
  throw new UsageError(`--dataset ${dataset} is in a folder, and ${data} is a file of your own: leave --dataset out`);
}
