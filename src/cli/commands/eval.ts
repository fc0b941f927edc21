/** `gsva eval`: measures a model on a split of a dataset. */
import { EVALUATED_NAMES, hasExpressions } from '../../data/dataset-registry.js';
import { UsageError } from '../../errors.js';
import { formOfProtocol, type GresProtocol, QUESTION_SETTINGS } from '../../evaluation/metrics/gres-score.js';
import type { QuestionSetting } from '../../evaluation/metrics/gres-score.js';
import { gsvaCommand } from '../../program.js';
import type { EvaluateResult } from '../../workflows/evaluate.js';
import { faultsText, figureHead, figureRow, refusedText } from '../../evaluation/records/record-figures.js';
import { chosenSet } from '../../workflows/open-dataset.js';
import { defineCommand } from '../command.js';
import { MODEL_OPTIONS, trainedModel } from '../options/model.js';
import { flag, option, required, withDefault } from '../options/option.js';
import * as shared from '../options/shared.js';
import { oneOf, requireData, SHARD, someOf, TEXT, wholeNumber } from '../options/values.js';
import type { Output } from '../output.js';
import { asRank } from '../ranks.js';

const PROTOCOLS: readonly GresProtocol[] = ['strict', 'reference', 'generate'];

export const command = defineCommand({
  options: {
    ...MODEL_OPTIONS,
    data: required('Folder of the dataset, or file of your own (JSON lines)', TEXT),
    dataset: option('Which benchmark (default: grefcoco, or what the file of your own holds)', oneOf(EVALUATED_NAMES)),
    split: option('Which part of the dataset (default: val; refzom: test, ade20k: validation)', TEXT),
    protocol: withDefault('How answers are scored; several may be given', someOf(PROTOCOLS), ['strict']),
    question: withDefault(
      'How expressions are asked for: by default as published for the protocol reference and as the model was trained ' +
        'for the others; or for all of them as published, as trained, or in one of the forms of Table 6',
      oneOf(QUESTION_SETTINGS),
      'default',
    ),
    'minimum-pixels': withDefault(
      "A mask of fewer pixels counts as [REJ]; LISA's rule has 50",
      wholeNumber(0, 1_000_000),
      0,
    ),
    'honour-ignore': flag(
      'reason_seg: leave ignored regions out, as always for LISA; as published by GSVA they belong to the target',
    ),
    'skip-bad': flag('Leave images out that are missing or damaged, and count them, instead of stopping'),
    limit: option('Only the first N images', wholeNumber(1)),
    batch: withDefault('Images computed at once', wholeNumber(1, 4096), 8),
    precision: shared.PRECISION_OPTION,
    'reject-threshold': shared.REJECT_THRESHOLD_OPTION,
    records: option('File for the result of every expression, written as results come (JSON lines)', TEXT),
    resume: flag('Go on with --records where an interrupted run ended'),
    shard: option(
      `Only image k with k mod COUNT = INDEX, as INDEX/COUNT; \`${gsvaCommand('report merge')}\` joins them`,
      SHARD,
    ),
    report: option('Folder for a report with pictures', TEXT),
    ...shared.FEATURE_CACHE_OPTIONS,
    'rank-timeout': shared.RANK_TIMEOUT_OPTION,
  },
  examples: {
    'gsva eval --data data/synth': 'the small trained model on the val split',
    'gsva eval --data data/synth --protocol strict reference generate --report runs/report': 'all protocols, pictures',
    'gsva eval --model runs/mine/best --data my/data.jsonl': 'your own data',
    'gsva eval --data data --dataset refcoco+ --split testA --protocol reference': 'classic RES and REC',
    'gsva eval --data data --dataset reason_seg --honour-ignore': 'reasoning; ignored regions left out',
    'gsva eval --model runs/demo/best --data data/synth --split testA --limit 50 --json': 'for a program to read',
    'gsva eval --data data/synth --records runs/val.jsonl --resume': 'keep every result; go on after an interruption',
    'gsva eval --data data/synth --records runs/val-0.jsonl --shard 0/2': 'one half of the images',
    'mpirun -np 8 gsva eval --data data/synth --records runs/val.jsonl': 'eight GPUs',
  },
  async run(args, context) {
    requireData(args.data);
    const { question, records, shard } = args;
    const { dataset, split } = chosenSet(args);
    if (question !== 'default' && !hasExpressions(dataset)) {
      throw new UsageError(
        `--question applies to datasets with referring expressions; ${dataset} defines its own questions`,
      );
    }
    if (args.honourIgnore && dataset !== 'reason_seg') {
      throw new UsageError(`--honour-ignore applies to reason_seg; ${dataset} has no ignored regions`);
    }
    if (args.resume && records === undefined)
      throw new UsageError('--resume goes on with a file: name it by --records');
    if (shard !== undefined && records === undefined) {
      throw new UsageError('--shard needs --records: the shards are joined from their files');
    }
    if (shard !== undefined && args.report !== undefined) {
      throw new UsageError(
        `--report is of a whole run: join the shards (${gsvaCommand('report merge')}), then ${gsvaCommand('report write')}`,
      );
    }
    const { data, precision, rejectThreshold, minimumPixels, skipBad, limit, batch, resume, report } = args;
    const honourIgnore = args.honourIgnore ? true : undefined;
    const options = {
      ...{ model: trainedModel(args), precision, data, dataset, split, honourIgnore, protocols: args.protocol },
      ...{ question, rejectThreshold, minimumPixels, skipBad, limit, batch, records, resume, shard, report },
    };
    const featureCache = shared.featureCacheOf(args);
    return asRank(args, args.rankTimeout, context, async (communicator, engine, own) => {
      if (communicator.size > 1 && (records === undefined || shard !== undefined)) {
        throw new UsageError(
          'under mpirun each process has a shard: name a file that all can reach by --records, no --shard',
        );
      }
      const { evaluate } = await import('../../workflows/evaluate.js');
      const { onNote, onProgress, signal } = own;
      const result = await evaluate({ ...options, featureCache, engine, onNote, onProgress, signal }, communicator);
      showFigures(result, question, own.output);
      if (result.measuredOn !== null) own.output.line(`measured on ${result.measuredOn}`);
      if (result.report !== null) own.output.line(result.report);
      return 0;
    });
  },
});

function showFigures(
  { dataset, split, results, asked, refused, faults, seconds, engine }: EvaluateResult,
  question: QuestionSetting,
  output: Output,
): void {
  const [first, ...others] = results.map(({ figures, protocol, images, expressions }) => ({
    ...figures,
    ...{ protocol, dataset, split, images, expressions },
    ...(hasExpressions(dataset) ? { question: formOfProtocol(protocol, question) } : {}),
    ...{ refused, seconds },
  }));
  output.table(figureHead(results), results.map(figureRow));
  if (asked !== null) output.line(`asked: ${asked}`);
  for (const line of [refusedText(refused), faultsText(faults)]) if (line !== null) output.line(line);
  output.json({ ...first, ...(others.length === 0 ? {} : { others }), faults, engine: engine.name });
}
