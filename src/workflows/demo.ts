/**
 * The whole way once: makes the embedded benchmark's data, trains GSVA's recipe on the tiny base, measures it before and
 * after, and writes a report with pictures.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openEvaluatedSet } from '../data/dataset-registry.js';
import { settingText } from '../evaluation/conversations.js';
import { OWN_FORMS } from '../evaluation/metrics/gres-score.js';
import { describeEngine, type EngineOptions } from '../engine/engine.js';
import type { RecordedResult } from '../evaluation/records/record-types.js';
import type { MetricRow } from '../evaluation/report/report-data.js';
import { writeReport } from '../evaluation/report/write-report.js';
import { Predictor } from '../inference/predictor.js';
import { packagePath } from '../program.js';
import { writeSynthDataset } from '../synthetic/writer.js';
import { buildExperiment, type Experiment } from '../training/config/build-experiment.js';
import { readRunLog } from '../training/watching/run-log.js';
import { demoNotice } from './demo-notice.js';
import { startNoted } from './engine.js';
import { measure } from './measure.js';
import { packageConfig } from './package-config.js';
import { trainExperiment } from './training-run.js';
import { counted, duration, type Watch } from './watch.js';

export interface DemoOptions extends Watch {
  /** Training time. */
  readonly minutes: number;
  /** Folder for data, checkpoints and report. */
  readonly out: string;
  /** Seed of the data and of the training. */
  readonly seed: number;
  readonly engine?: EngineOptions;
}

export interface DemoResult {
  /** The warning that stands before any figure; null where the run has learned. */
  readonly notice: string | null;
  readonly before: readonly RecordedResult[];
  readonly after: readonly RecordedResult[];
  readonly rows: readonly MetricRow[];
  readonly updates: number;
  readonly seconds: number;
  /** The page. */
  readonly report: string;
  /** Folder of the trained model. */
  readonly model: string;
  /** Questions in words. */
  readonly asked: string;
}

const CONFIG = 'tiny.json5';
const SIZES = { trainImages: 3000, valImages: 300, testAImages: 60, testBImages: 60 } as const;
/** Free generation writes token by token: fewer images, so that the demo ends soon. */
const GENERATE_IMAGES = 60;
const SAMPLES = 12;
const BATCH = 16;

export async function demo(options: DemoOptions): Promise<DemoResult> {
  const { seed, minutes } = options;
  const engine = await startNoted(options.engine, options);
  const startedAt = performance.now();
  const data = join(options.out, `data-seed${seed}`);
  if (!existsSync(data)) await writeSynthDataset(data, { seed, ...SIZES }, counted(options, 'make data'));
  const source = packagePath('configs', CONFIG);
  const config = packageConfig(source, [
    ['data.dir', data],
    ['training.seed', seed],
    ['training.schedule.maxMinutes', minutes],
  ]);
  const experiment = await buildExperiment(config, source);
  try {
    const { system, network, tokenizer } = experiment;
    const predictor = new Predictor(system, network, tokenizer, config.conversation, { variant: config.variant });
    const val = await openEvaluatedSet('grefcoco', data, 'val', { honourIgnore: false });
    const forced = { protocols: ['strict', 'reference'], batch: BATCH } as const;

    const before = await measure(predictor, val, { ...forced, label: 'evaluate before' }, options);
    const out = join(options.out, 'train');
    rmSync(out, { recursive: true, force: true }); // the last demo's
    const { end, plots } = await trainExperiment(experiment, engine, { ...options, out });
    options.signal?.throwIfAborted();
    const after = await measure(predictor, val, { ...forced, samples: SAMPLES, label: 'evaluate after' }, options);
    const free = await measure(
      predictor,
      val,
      { protocols: ['generate'], batch: BATCH, limit: GENERATE_IMAGES, label: 'generate' },
      options,
    );

    const row = (stage: string, { protocol, figures }: RecordedResult): MetricRow => {
      return { stage, protocol, metrics: figures };
    };
    const trained = [...after.results, ...free.results];
    const rows = [
      ...before.results.map((result) => row('before training', result)),
      ...trained.map((result) => row('after training', result)),
    ];
    const [first, last] = [before.results[0], after.results[0]];
    if (first === undefined || last === undefined) throw new Error('demo: no result');
    const notice = demoNotice({
      minutes,
      recipeMinutes: packageConfig(source, []).training.schedule.maxMinutes ?? null,
      warmupUpdates: config.training.schedule.warmupUpdates,
      losses: readRunLog(join(out, 'log.jsonl')).updates.map(({ losses }) => losses.loss ?? NaN),
      before: first,
      after: last,
    });
    const seconds = (performance.now() - startedAt) / 1000;
    const report = join(options.out, 'report');
    const asked = settingText(predictor.asking.dialogue, ['strict', 'reference', 'generate'], OWN_FORMS);
    await writeReport(report, {
      title: 'GSVA, small, end to end',
      ...(notice === null ? {} : { notice }),
      model: `${config.description}; ${parameterCount(experiment)}`,
      config: `configs/${CONFIG}`,
      checkpoint: join(out, 'last'),
      engine: describeEngine(engine),
      date: new Date(),
      seconds,
      details: [
        ['Data', `${data}: ${SIZES.trainImages} training and ${SIZES.valImages} val images, seed ${seed}`],
        ['Training', `${end.update} updates of ${config.training.batchSize} images in ${duration(end.elapsedSeconds)}`],
        ['Question', asked],
        ['Free generation', `the first ${GENERATE_IMAGES} val images`],
      ],
      rows,
      plots,
      samples: after.samples,
    });
    return {
      ...{ notice, before: before.results, after: trained, rows, updates: end.update, seconds, asked },
      report: join(report, 'report.html'),
      model: join(out, 'last'),
    };
  } finally {
    experiment.network.dispose();
  }
}

function parameterCount({ network }: Experiment): string {
  let count = 0;
  for (const { variable } of network.namedParameters().values()) {
    count += variable.shape.reduce<number>((product, size) => product * (size ?? 1), 1);
  }
  return `${(count / 1e6).toFixed(1)} million parameters`;
}
