/** Measuring a model on a split of a dataset, with a bar; what `eval`, `train` and `demo` have in common. */
import type { EvaluatedDataset } from '../data/evaluated-dataset.js';
import { benchmarkOf } from '../evaluation/benchmarks/benchmarks.js';
import { evaluate, type EvaluationOptions } from '../evaluation/evaluate.js';
import type { Evaluation } from '../evaluation/evaluation-run.js';
import type { FigureValues } from '../evaluation/figures.js';
import type { GresProtocol } from '../evaluation/metrics/gres-score.js';
import type { RecordedResult, Result } from '../evaluation/records/record-figures.js';
import { type RecordedFaults, type RefusalCounts, shardSize, WHOLE } from '../evaluation/records/record.js';
import { metricTitle } from '../evaluation/figures.js';
import type { Responder } from '../evaluation/responder.js';
import type { Predictor } from '../inference/predictor.js';
import type { EncodedImage } from '../features/image-features.js';
import { type DatasetRequest, openDataset } from './open-dataset.js';
import type { Cell } from './output.js';
import type { VerbContext } from './verb.js';

export interface MeasureRequest extends Pick<DatasetRequest, 'data' | 'split'> {
  /** By the registry's name; default gRefCOCO. */
  readonly dataset?: string;
  /** The split of the data where it is open already: reading it takes a while. */
  readonly opened?: EvaluatedDataset;
  readonly protocols: readonly GresProtocol[];
  readonly limit: number | null;
  readonly batch: number;
  /** Images kept with their answers. */
  readonly samples: number;
  /** How it is asked and scored; default as published. */
  readonly rules?: Pick<EvaluationOptions, 'question' | 'minimumPixels' | 'skipBad'>;
  /** What answers for the predictor; default: itself. */
  readonly responder?: Responder<EncodedImage>;
  /** Default: all images, none of them done. */
  readonly recording?: Pick<EvaluationOptions, 'shard' | 'earlier' | 'onImage' | 'onRefusal'>;
}

export interface Measured extends Evaluation {
  readonly seconds: number;
}

export async function measure(
  predictor: Predictor,
  request: MeasureRequest,
  context: VerbContext,
  label = 'evaluate',
): Promise<Measured> {
  const { data, dataset = 'grefcoco', split, protocols, limit, batch, samples, rules = {}, recording = {} } = request;
  const opened = request.opened ?? (await openDataset({ data, dataset, split, honourIgnore: false }));
  const total = shardSize(Math.min(opened.images.length, limit ?? Infinity), recording.shard ?? WHOLE);
  const startedAt = performance.now();
  const bar = context.startProgress(label, total);
  try {
    const evaluation = await evaluate(benchmarkOf(dataset), opened, request.responder ?? predictor, {
      protocols,
      batch,
      limit,
      samples,
      ...rules,
      ...recording,
      rejectThreshold: predictor.rejectThreshold,
      signal: context.signal,
      onProgress: (progress) => {
        bar.update(progress.images, noteOf(progress.results));
      },
    });
    return { ...evaluation, seconds: (performance.now() - startedAt) / 1000 };
  } finally {
    bar.stop();
  }
}

/** The figures of a result by their published names; fractions of 1, null where nothing decides them. */
export function figuresOf({ figures }: Result): FigureValues {
  return figures;
}

/** For results of one benchmark. */
export function figureHead(results: readonly Result[]): string[] {
  const names = Object.keys(results[0]?.figures ?? {});
  return ['protocol', ...names.map(metricTitle), 'images', 'expressions'];
}

export function figureRow(result: RecordedResult): Cell[] {
  const figures = Object.values(figuresOf(result)).map((value) => (value === null ? '–' : value.toFixed(3)));
  return [result.protocol, ...figures, String(result.images), String(result.expressions)];
}

/** What plays no part in the figures, in words; null where everything does. */
export function refusedText({ images, expressions, reasons }: RefusalCounts): string | null {
  if (images + expressions === 0) return null;
  const why = Object.entries(reasons).map(([reason, count]) => `${reason}: ${count}`);
  return `left out of the figures: ${images} images, ${expressions} expressions (${why.join(', ')})`;
}

/** What free answers did that no figure shows, in words; null where nothing. */
export function faultsText(faults: RecordedFaults | null): string | null {
  if (faults === null || faults.unanswered + faults.repeated + faults.unknown === 0) return null;
  const { unanswered, repeated, unknown } = faults;
  return (
    `free answers: ${unanswered} expressions without an answer (counted as wrong), ${repeated} answered again (the first ` +
    `answer counts), ${unknown} answers that match no expression (not counted)`
  );
}

function noteOf([first]: readonly Result[]): string {
  if (first === undefined) return '';
  return Object.entries(figuresOf(first))
    .map(([name, value]) => `${metricTitle(name)} ${value === null ? '–' : value.toFixed(2)}`)
    .join('  ');
}
