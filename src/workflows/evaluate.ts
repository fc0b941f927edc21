/** Evaluation of a model on a benchmark, as `gsva eval` does it: in one process, in shards, or by several ranks. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { settingText } from '../evaluation/conversations.js';
import type { EvaluatedDataset } from '../data/refer/refer-dataset.js';
import { hasExpressions } from '../data/dataset-registry.js';
import { describeEngine, type EngineInfo, type EngineOptions } from '../engine/engine.js';
import { UserError } from '../errors.js';
import { benchmarkOf } from '../evaluation/benchmarks/benchmarks.js';
import { type GresProtocol, OWN_FORMS, type QuestionSetting } from '../evaluation/metrics/gres-score.js';
import { mergeRecords, readRecords, RecordWriter, recordText } from '../evaluation/records/record-file.js';
import { recordedFaults, recordedRefusals, recordedResults } from '../evaluation/records/record-figures.js';
import type { ImageRecord, RecordedFaults, RecordedResult } from '../evaluation/records/record-types.js';
import type { Refusal, RefusalCounts, Shard } from '../evaluation/records/record-types.js';
import { type RecordFile, type RecordHeader, WHOLE } from '../evaluation/records/record.js';
import type { Precision } from '../inference/model.js';
import { checkKeys, checkSignal } from '../inference/segment-options.js';
import { configDigest, weightsDigest, type ModelSource, packagedSource } from '../inference/model-source.js';
import { writeFileAtomic } from '../io/atomic/atomic-file.js';
import type { EvaluationRules } from '../systems/system-info.js';
import { requireSame } from '../training/distributed/agreement.js';
import { type Communicator, SingleProcess } from '../training/distributed/communicator.js';
import type { Dataset } from './dataset.js';
import { loadNoted, onEngine } from './engine.js';
import { openFeatures, storedResponder } from './feature-store.js';
import { measure } from './measure.js';
import { chosenSet, type DatasetChoice, openDataset } from './open-dataset.js';
import { measuredOn, writeRecordedReport } from '../evaluation/report/recorded-report.js';
import type { FeatureCacheOptions, Watch } from './watch.js';

/** Options of `evaluate`. */
export interface EvaluateOptions extends Omit<DatasetChoice, 'data'>, Watch {
  /** Folder of the dataset, a file of own data (JSON lines), or a dataset made by `dataset`. */
  readonly data: string | Dataset;
  /** Folder of a model, or the published files; default: the small model of the package. */
  readonly model?: ModelSource;
  readonly precision?: Precision;
  /**
   * 'strict' (default): a target that is wrongly rejected has an empty mask; 'reference': as published, it keeps the
   * mask of a second pass; 'generate': strict, on answers that the model writes freely. Each at most once.
   */
  readonly protocols?: readonly GresProtocol[];
  /** How expressions are asked for; default: as published for 'reference', as trained for the others. */
  readonly question?: QuestionSetting;
  /** [REJ] from this probability on; default: the model's own threshold, where one is stored. */
  readonly rejectThreshold?: number;
  /** A mask of fewer pixels counts as [REJ]; default 0. */
  readonly minimumPixels?: number;
  /** Leave images out that cannot be read, and count them, instead of stopping. */
  readonly skipBad?: boolean;
  /** At most this many images, from the start of the split. */
  readonly limit?: number;
  /** Images computed at once; default 8. */
  readonly batch?: number;
  /** File for the result of every expression (JSON lines). */
  readonly records?: string;
  /** Go on with `records` where an interrupted run ended. */
  readonly resume?: boolean;
  /** Only some images; `mergeShards` joins the files of records. */
  readonly shard?: Shard;
  /** Folder for a report with pictures. */
  readonly report?: string;
  /** Folder that keeps the features of the encoders from run to run. */
  readonly featureCache?: FeatureCacheOptions;
  /** Called for each image, in order, with the result of every expression. */
  readonly onImage?: (image: ImageRecord) => void;
  readonly engine?: EngineOptions;
}

/** Result of `evaluate`. */
export interface EvaluateResult {
  /** Figures by protocol, in the order of `protocols`. */
  readonly results: readonly RecordedResult[];
  /** Images and expressions that were left out. */
  readonly refused: RefusalCounts;
  /** How free answers went past their questions; null unless 'generate' was asked for. */
  readonly faults: RecordedFaults | null;
  readonly dataset: string;
  readonly split: string;
  /** Images measured on, in words; null for a shard alone. */
  readonly measuredOn: string | null;
  /** Questions and forced answers in words; null where the dataset prescribes them. */
  readonly asked: string | null;
  /** Results of every expression; empty unless they are asked for by `records`, `report` or `onImage`. */
  readonly images: readonly ImageRecord[];
  readonly seconds: number;
  /** The report's page; null without one. */
  readonly report: string | null;
  readonly engine: EngineInfo;
}

/**
 * Measures a model on a dataset.
 *
 *     const { results } = await evaluate({ model: 'runs/tiny/best', data: 'data/synth', protocols: ['strict'] });
 *     console.log(results[0]?.gIoU);
 *
 * @param communicator processes that share the images, as `mpirun gsva eval` starts them; default: this one alone
 * @throws UserError for files that cannot be used; the signal's reason
 */
export async function evaluate(
  options: EvaluateOptions,
  communicator: Communicator = new SingleProcess(),
): Promise<EvaluateResult> {
  checkKeys('Evaluating', options, OPTION_KEYS);
  checkSignal('Evaluating', options.signal);
  const { data, records } = options;
  const onFile: OnFile = { ...options, data: typeof data === 'string' ? data : data.file };
  return onEngine(options, async (engine) => {
    if (communicator.size > 1 && records !== undefined) return byRanks({ ...onFile, records }, communicator, engine);
    const { header, opened, measured } = await evaluateShard(onFile, engine);
    return withReport(onFile, measured, opened, header === null ? null : { header, images: measured.images });
  });
}

const OPTION_KEYS = [
  ...['model', 'precision', 'data', 'dataset', 'split', 'honourIgnore', 'protocols', 'question', 'rejectThreshold'],
  ...['minimumPixels', 'skipBad', 'limit', 'batch', 'records', 'resume', 'shard', 'report', 'featureCache', 'engine'],
  ...['onImage', 'onNote', 'onProgress', 'signal'],
] as const;

/** Whether the rules leave pixels of a set out: ReasonSeg's ignored ones and, in one pass, ADE20K's of no class. */
function hasIgnored(dataset: string, { masks }: EvaluationRules): boolean {
  return dataset === 'reason_seg' || (dataset === 'ade20k' && masks === 'one-pass');
}

/** Options whose dataset is on disk. */
type OnFile = EvaluateOptions & { readonly data: string };

async function evaluateShard(options: OnFile, engine: EngineInfo) {
  const { shard = WHOLE, protocols = ['strict'], batch = 8, records, onNote } = options;
  const { predictor, meta, untrained } = await loadNoted(options);
  if (untrained !== null) onNote?.(untrained);
  const images: ImageRecord[] = [];
  let writer: RecordWriter | null = null;
  try {
    const chosen = chosenSet(options);
    const { rules, dialogue, config } = predictor.asking;
    const benchmark = benchmarkOf(chosen.dataset, rules.masks).name;
    const honoured = rules.ignored === 'excluded' && hasIgnored(chosen.dataset, rules);
    const { honourIgnore = honoured, question = OWN_FORMS, minimumPixels = 0, skipBad, limit } = options;
    if (question !== OWN_FORMS && !dialogue.forms.includes(question)) {
      throw new UserError(
        `Evaluating: the model is not asked in the form ${question}; its forms are ${dialogue.forms.join(', ')}.`,
      );
    }
    const opened = await openDataset({ ...options, honourIgnore }, benchmark);
    const model = packagedSource(options.model);
    const isFiled = records !== undefined || options.report !== undefined;
    const header: RecordHeader | null = !isFiled
      ? null
      : {
          ...{ ...chosen, benchmark, question, protocols },
          images: Math.min(opened.images.length, limit ?? Infinity),
          batch,
          model: `${meta.description} (${meta.stage})`,
          configDigest: configDigest(config),
          checkpoint: typeof model === 'string' ? model : (model.weights ?? model.mllm),
          weightsDigest: weightsDigest(model),
          rejectThreshold: predictor.rejectThreshold,
          ...{ minimumPixels, honourIgnore, engine: describeEngine(engine), shard, date: new Date().toISOString() },
        };
    if (records !== undefined && header !== null) {
      if (options.resume === true) {
        const begun = RecordWriter.resume(records, header);
        writer = begun.writer;
        images.push(...begun.earlier);
      } else writer = RecordWriter.create(records, header);
      if (images.length > 0) onNote?.(`${records}: ${images.length} images are done already`);
    }
    const onImage = (image: ImageRecord): void => {
      writer?.write(image);
      images.push(image);
      options.onImage?.(image);
    };
    const onRefusal = (fileName: string, { expression, message }: Refusal): void => {
      onNote?.(`left out: ${fileName}${expression === null ? '' : `, ${JSON.stringify(expression)}`}: ${message}`);
    };
    const cache = options.featureCache;
    const store = cache === undefined ? null : await openFeatures(cache, predictor.network, options, 0);
    const { results, refused, faults, seconds } = await measure(
      predictor,
      opened,
      {
        ...{ dataset: chosen.dataset, protocols, batch, question, minimumPixels, skipBad, limit, shard, onRefusal },
        earlier: [...images],
        onImage: isFiled || options.onImage !== undefined ? onImage : undefined,
        responder: store === null ? undefined : storedResponder(predictor, store.features),
      },
      options,
    );
    await store?.report();
    const asked = hasExpressions(chosen.dataset) ? settingText(dialogue, protocols, question) : null;
    return { header, opened, measured: { ...chosen, asked, results, refused, faults, seconds, images, engine } };
  } catch (error) {
    writer?.abandon();
    throw error;
  } finally {
    writer?.close();
    predictor.dispose();
  }
}

async function withReport(
  { data, report, shard = WHOLE }: OnFile,
  measured: Omit<EvaluateResult, 'measuredOn' | 'report'>,
  opened: EvaluatedDataset,
  file: Pick<RecordFile, 'header' | 'images'> | null,
): Promise<EvaluateResult> {
  const { dataset, split, results } = measured;
  return {
    ...measured,
    measuredOn: measuredOn({ dataset, split, data, shard }, opened, results[0]?.images ?? 0),
    report: report === undefined || file === null ? null : await writeRecordedReport(report, file, opened, data),
  };
}

/**
 * Each rank measures a shard into a file of its own; rank 0 joins them in image order, so figures equal one process's.
 */
async function byRanks(options: OnFile & { readonly records: string }, communicator: Communicator, engine: EngineInfo) {
  const { records } = options;
  const { rank, size } = communicator;
  if (existsSync(records)) {
    throw new UserError(`Writing records: ${records} exists already: a whole run. Name another file.`);
  }
  refuseOtherParts(records, size);
  await requireSame(communicator, { engine: describeEngine(engine) });
  const startedAt = performance.now();
  const parts = Array.from({ length: size }, (_, index) => `${records}.${index}-of-${size}`);
  const own = { ...options, records: parts[rank] ?? '', report: undefined, shard: { index: rank, count: size } };
  const { opened, measured } = await communicator.duringLongWork(() => evaluateShard(own, engine));
  await communicator.duringLongWork(() => communicator.barrier());
  if (rank > 0) return { ...measured, measuredOn: null, report: null };
  // The others wait for it, and must not take this rank for hung.
  return communicator.duringLongWork(async () => {
    const merged = mergeRecords(parts.map(readRecords));
    writeFileAtomic(records, recordText(merged));
    for (const part of parts) rmSync(part);
    const whole = {
      ...measured,
      images: merged.images,
      results: recordedResults(merged),
      refused: recordedRefusals(merged.images),
      faults: recordedFaults(merged.images),
      seconds: (performance.now() - startedAt) / 1000,
    };
    return withReport({ ...options, shard: WHOLE }, whole, opened, merged);
  });
}

/** @throws UserError where another number of processes has begun this run: their shards are of no use to this one */
function refuseOtherParts(records: string, size: number): void {
  const dir = dirname(records);
  const prefix = `${basename(records)}.`;
  for (const name of existsSync(dir) ? readdirSync(dir) : []) {
    if (!name.startsWith(prefix)) continue;
    const count = /^\d+-of-(\d+)$/.exec(name.slice(prefix.length))?.[1];
    if (count === undefined || Number(count) === size) continue;
    throw new UserError(
      `Writing records: ${join(dir, name)} belongs to a run by ${count} processes, this one has ${size}. Go on with ` +
        `mpirun -np ${count} and --resume, or delete its parts.`,
    );
  }
}
