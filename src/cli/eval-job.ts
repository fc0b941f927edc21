/** The work behind `gsva eval`: from a checked request to results. */
import { describeEngine, type EngineInfo } from '../engine/engine.js';
import { writeReport } from '../evaluation/report/write-report.js';
import { loadPredictor } from '../inference/gsva-model.js';
import type { ModelSource } from '../inference/open-model.js';
import { modelName } from './model-options.js';
import type { Precision } from '../model/precision.js';
import { FIGURE_HEAD, figureRow, figuresOf, measure } from './measure.js';
import type { EvaluatedSplit } from './open-dataset.js';
import { packedNote } from './packed-note.js';
import type { VerbContext } from './verb.js';

/** What `gsva eval` was asked for, checked. */
export interface EvalRequest {
  readonly model: ModelSource;
  readonly precision: Precision;
  readonly data: string;
  /** 'own': `data` is a file of JSON lines. */
  readonly dataset: 'grefcoco' | 'own';
  readonly split: EvaluatedSplit;
  /**
   * 'strict': what is wrongly rejected has an empty mask; 'reference': as published, it keeps the mask of a second
   * pass; 'generate': strict, on answers that the model writes freely. At least one, each once.
   */
  readonly protocols: readonly ('strict' | 'reference' | 'generate')[];
  /** At most this many images, from the start of the split. */
  readonly limit: number | null;
  /** Images computed at once. */
  readonly batch: number;
  /** Folder for a report with pictures; null for none. */
  readonly report: string | null;
}

const REPORT_SAMPLES = 12;

/** @returns the exit code */
export async function runEval(request: EvalRequest, context: VerbContext, engine: EngineInfo): Promise<number> {
  const { output } = context;
  const { predictor, meta, packedBytes } = loadPredictor(request.model, request.precision);
  if (packedBytes > 0) context.note(packedNote(packedBytes));
  try {
    const samples = request.report === null ? 0 : REPORT_SAMPLES;
    const measured = await measure(predictor, { ...request, samples }, context);
    const { dataset, split } = request;
    const [first, ...others] = measured.results.map((result) => ({
      ...figuresOf(result),
      protocol: result.protocol,
      dataset,
      split,
      images: result.images,
      expressions: result.expressions,
      seconds: measured.seconds,
    }));
    output.table(FIGURE_HEAD, measured.results.map(figureRow));
    output.json({ ...first, ...(others.length === 0 ? {} : { others }), faults: measured.faults, engine: engine.name });
    if (request.report !== null) {
      await writeReport(request.report, {
        title: `GSVA on ${dataset} ${split}`,
        model: meta.description,
        config: meta.stage,
        checkpoint: modelName(request.model),
        engine: describeEngine(engine),
        date: new Date(),
        seconds: measured.seconds,
        details: [['Data', request.data]],
        rows: measured.results.map((result) => ({
          stage: 'model',
          protocol: result.protocol,
          metrics: figuresOf(result),
        })),
        plots: [],
        samples: measured.samples,
      });
      output.line(`${request.report}/report.html`);
    }
    return 0;
  } finally {
    predictor.dispose();
  }
}
