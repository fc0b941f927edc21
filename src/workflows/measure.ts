/** Figures of a model on a split of a dataset, with progress. */
import type { EvaluatedDataset } from '../data/refer/refer-dataset.js';
import { benchmarkOf } from '../evaluation/benchmarks/benchmarks.js';
import { evaluate, type EvaluationOptions } from '../evaluation/evaluate.js';
import type { Evaluation } from '../evaluation/evaluation-run.js';
import { metricTitle } from '../evaluation/figures.js';
import type { Result } from '../evaluation/records/record-types.js';
import { shardSize, WHOLE } from '../evaluation/records/record.js';
import type { Responder } from '../evaluation/conversations.js';
import type { EncodedImage } from '../features/image-features.js';
import type { Predictor } from '../inference/predictor.js';
import type { Watch } from './watch.js';

export interface MeasureOptions extends EvaluationOptions {
  /** As the registry names it; default gRefCOCO. */
  readonly dataset?: string;
  /** Answers in place of the predictor. */
  readonly responder?: Responder<EncodedImage>;
  readonly label?: string;
}

export async function measure(
  predictor: Predictor,
  images: EvaluatedDataset,
  { dataset = 'grefcoco', responder = predictor, label = 'evaluate', ...options }: MeasureOptions,
  { onProgress, signal }: Watch,
): Promise<Evaluation & { readonly seconds: number }> {
  const total = shardSize(Math.min(images.images.length, options.limit ?? Infinity), options.shard ?? WHOLE);
  const startedAt = performance.now();
  onProgress?.({ label, done: 0, total });
  const evaluation = await evaluate(benchmarkOf(dataset, predictor.asking.rules.masks), images, responder, {
    ...options,
    rejectThreshold: predictor.rejectThreshold,
    signal,
    onProgress: ({ images: done, results }) => onProgress?.({ label, done, total, note: noteOf(results) }),
  });
  return { ...evaluation, seconds: (performance.now() - startedAt) / 1000 };
}

function noteOf([first]: readonly Result[]): string {
  if (first === undefined) return '';
  return Object.entries(first.figures)
    .map(([name, value]) => `${metricTitle(name)} ${value === null ? '–' : value.toFixed(2)}`)
    .join('  ');
}
