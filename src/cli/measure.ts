/** Measuring a model on a split of a dataset, with a bar; what `eval`, `train` and `demo` have in common. */
import { evaluateGres, type GresDataset, type GresEvaluation, type GresOptions } from '../evaluation/gres.js';
import type { GresProtocol, GresResult } from '../evaluation/metrics/gres-metric.js';
import { shardSize, WHOLE } from '../evaluation/record.js';
import type { Predictor } from '../inference/predictor.js';
import { type EvaluatedSplit, openDataset } from './open-dataset.js';
import type { Cell } from './output.js';
import type { VerbContext } from './verb.js';

export interface MeasureRequest {
  /** Folder in gRefCOCO's layout, or a file of own data. */
  readonly data: string;
  readonly split: EvaluatedSplit;
  /** The split of the data where it is open already: reading it takes a while. */
  readonly opened?: GresDataset;
  readonly protocols: readonly GresProtocol[];
  readonly limit: number | null;
  readonly batch: number;
  /** Images kept with their answers. */
  readonly samples: number;
  /** Default: all images, none of them done. */
  readonly recording?: Pick<GresOptions, 'shard' | 'earlier' | 'onImage'>;
}

export interface Measured extends GresEvaluation {
  readonly seconds: number;
}

export async function measure(
  predictor: Predictor,
  request: MeasureRequest,
  context: VerbContext,
  label = 'evaluate',
): Promise<Measured> {
  const { data, split, protocols, limit, batch, samples, recording = {} } = request;
  const dataset = request.opened ?? (await openDataset(data, split));
  const total = shardSize(Math.min(dataset.images.length, limit ?? Infinity), recording.shard ?? WHOLE);
  const startedAt = performance.now();
  const bar = context.startProgress(label, total);
  try {
    const evaluation = await evaluateGres(dataset, predictor, {
      protocols,
      batch,
      limit,
      samples,
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
export function figuresOf({ gIoU, cIoU, N_acc, T_acc }: GresResult): Record<string, number | null> {
  return { gIoU, cIoU, N_acc, T_acc };
}

export const FIGURE_HEAD = ['protocol', 'gIoU', 'cIoU', 'N-acc', 'T-acc', 'images', 'expressions'] as const;

export function figureRow(result: GresResult & { readonly images: number }): Cell[] {
  const figures = Object.values(figuresOf(result)).map((value) => (value === null ? '–' : value.toFixed(3)));
  return [result.protocol, ...figures, String(result.images), String(result.expressions)];
}

function noteOf([first]: readonly GresResult[]): string {
  if (first === undefined) return '';
  return Object.entries(figuresOf(first))
    .map(([name, value]) => `${name.replace('_', '-')} ${value === null ? '–' : value.toFixed(2)}`)
    .join('  ');
}
