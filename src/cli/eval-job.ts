/** The work behind `gsva eval`: from a checked request to results. */
import { describeEngine, type EngineInfo } from '../engine/engine.js';
import { RecordWriter } from '../evaluation/records/record-file.js';
import { benchmarkOf } from '../evaluation/benchmarks/benchmarks.js';
import type { EvaluatedDataset } from '../data/evaluated-dataset.js';
import { hasExpressions } from '../data/evaluated-sets.js';
import { formOfProtocol, type QuestionSetting, settingText } from '../systems/gsva/question-forms.js';
import type { ImageRecord, RecordHeader, Refusal, Shard } from '../evaluation/records/record.js';
import { loadPredictor, untrainedText } from '../inference/load-predictor.js';
import { configDigest, weightsDigest } from '../inference/model-digest.js';
import type { ModelSource } from '../inference/open-model.js';
import type { Predictor } from '../inference/predictor.js';
import type { ModelMeta } from '../checkpoints/checkpoint-directory.js';
import type { Precision } from '../checkpoints/precision.js';
import { measuredOn, writeRecordedReport } from './eval-report.js';
import type { FeatureCacheRequest } from './feature-cache-options.js';
import { openFeatures, storedResponder } from './feature-store.js';
import { faultsText, figureHead, figureRow, figuresOf, measure, type Measured, refusedText } from './measure.js';
import { modelName } from './model-options.js';
import { type DatasetRequest, openDataset } from './open-dataset.js';
import type { Output } from './output.js';
import { packedNote } from './packed-note.js';
import type { VerbContext } from './verb.js';

/** What `gsva eval` was asked for, checked. */
export interface EvalRequest extends DatasetRequest {
  readonly model: ModelSource;
  readonly precision: Precision;
  readonly question: QuestionSetting;
  /** A mask of fewer pixels counts as [REJ]. */
  readonly minimumPixels: number;
  /** Images that cannot be read are left out and counted. */
  readonly skipBad: boolean;
  /**
   * 'strict': what is wrongly rejected has an empty mask; 'reference': as published, it keeps the mask of a second
   * pass; 'generate': strict, on answers that the model writes freely. At least one, each once.
   */
  readonly protocols: readonly ('strict' | 'reference' | 'generate')[];
  /** At most this many images, from the start of the split. */
  readonly limit: number | null;
  /** Images computed at once. */
  readonly batch: number;
  /** Instead of the model's own; null for that one, if it has one. */
  readonly rejectThreshold: number | null;
  /** File for the results of every expression; null for none. */
  readonly records: string | null;
  /** Go on with `records`. */
  readonly resume: boolean;
  readonly shard: Shard;
  /** Keep what the encoders say of the images on disk; null: it is computed. */
  readonly featureCache: FeatureCacheRequest | null;
  /** Folder for a report with pictures; null for none. */
  readonly report: string | null;
}

/** The images of a shard, measured. */
export interface EvaluatedShard {
  /** Null unless there are records or a report: it takes a digest of all weights. */
  readonly header: RecordHeader | null;
  /** Empty unless there are records or a report. */
  readonly images: readonly ImageRecord[];
  readonly dataset: EvaluatedDataset;
  readonly measured: Measured;
}

/** @returns the exit code */
export async function runEval(request: EvalRequest, context: VerbContext, engine: EngineInfo): Promise<number> {
  const { header, images, dataset, measured } = await evaluateShard(request, context, engine);
  printFigures(request, measured, context.output, engine);
  const words = measuredOn(request, dataset, measured.results[0]?.images ?? 0);
  if (words !== null) context.output.line(`measured on ${words}`);
  if (request.report !== null && header !== null) {
    context.output.line(await writeRecordedReport(request.report, { header, images }, dataset, request.data));
  }
  return 0;
}

export async function evaluateShard(
  request: EvalRequest,
  context: VerbContext,
  engine: EngineInfo,
): Promise<EvaluatedShard> {
  const { predictor, meta, packedBytes } = await loadPredictor(
    request.model,
    request.precision,
    request.rejectThreshold,
  );
  if (packedBytes > 0) context.note(packedNote(packedBytes));
  const untrained = untrainedText(meta, predictor.model.name);
  if (untrained !== null) context.note(untrained);
  const images: ImageRecord[] = [];
  let writer: RecordWriter | null = null;
  try {
    const dataset = await openDataset(request);
    const isKept = request.records !== null || request.report !== null;
    const header = isKept ? headerOf(request, dataset.images.length, predictor, meta, engine) : null;
    if (request.records !== null && header !== null) {
      const begun = beginRecords(request.records, request.resume, header);
      writer = begun.writer;
      images.push(...begun.earlier);
      if (begun.earlier.length > 0) context.note(`${request.records}: ${begun.earlier.length} images are done already`);
    }
    const onImage = (image: ImageRecord): void => {
      writer?.write(image);
      images.push(image);
    };
    const onRefusal = (fileName: string, { expression, message }: Refusal): void => {
      context.note(`left out: ${fileName}${expression === null ? '' : `, ${JSON.stringify(expression)}`}: ${message}`);
    };
    const store =
      request.featureCache === null ? null : await openFeatures(request.featureCache, predictor.network, context, 0);
    const responder = store === null ? predictor : storedResponder(predictor, store.features);
    const measured = await measure(
      predictor,
      {
        ...request,
        opened: dataset,
        responder,
        samples: 0,
        rules: request,
        recording: { shard: request.shard, earlier: [...images], onRefusal, ...(isKept ? { onImage } : {}) },
      },
      context,
    );
    await store?.report();
    return { header, images, dataset, measured };
  } catch (error) {
    writer?.abandon();
    throw error;
  } finally {
    writer?.close();
    predictor.dispose();
  }
}

export function printFigures(
  { dataset, split, protocols, question }: EvalRequest,
  { results, refused, faults, seconds }: Pick<Measured, 'results' | 'refused' | 'faults' | 'seconds'>,
  output: Output,
  engine: EngineInfo,
): void {
  const [first, ...others] = results.map((result) => ({
    ...figuresOf(result),
    protocol: result.protocol,
    dataset,
    split,
    images: result.images,
    expressions: result.expressions,
    ...(hasExpressions(dataset) ? { question: formOfProtocol(result.protocol, question) } : {}),
    refused,
    seconds,
  }));
  output.table(figureHead(results), results.map(figureRow));
  if (hasExpressions(dataset)) output.line(`asked: ${settingText(protocols, question)}`);
  for (const line of [refusedText(refused), faultsText(faults)]) if (line !== null) output.line(line);
  output.json({ ...first, ...(others.length === 0 ? {} : { others }), faults, engine: engine.name });
}

function beginRecords(
  path: string,
  resume: boolean,
  header: RecordHeader,
): { readonly writer: RecordWriter; readonly earlier: readonly ImageRecord[] } {
  return resume ? RecordWriter.resume(path, header) : { writer: RecordWriter.create(path, header), earlier: [] };
}

function headerOf(
  request: EvalRequest,
  images: number,
  predictor: Predictor,
  meta: ModelMeta,
  engine: EngineInfo,
): RecordHeader {
  const { dataset, split, protocols, limit, batch, shard, model, question, minimumPixels, honourIgnore } = request;
  return {
    dataset,
    split,
    benchmark: benchmarkOf(dataset).name,
    question,
    protocols,
    images: Math.min(images, limit ?? Infinity),
    batch,
    model: `${meta.description} (${meta.stage})`,
    configDigest: configDigest(predictor.asking.config),
    checkpoint: modelName(model),
    weightsDigest: weightsDigest(model),
    rejectThreshold: predictor.rejectThreshold,
    minimumPixels,
    honourIgnore,
    engine: describeEngine(engine),
    shard,
    date: new Date().toISOString(),
  };
}
