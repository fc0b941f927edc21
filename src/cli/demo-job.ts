/**
 * The work behind `gsva demo`: makes the embedded benchmark's data, trains GSVA's recipe on the tiny base, measures it
 * before and after, and writes a report with pictures.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { settingText } from '../systems/gsva/question-forms.js';
import { writeSynthDataset } from '../synthetic/writer.js';
import { describeEngine, type EngineInfo } from '../engine/engine.js';
import type { MetricRow } from '../evaluation/report/report-data.js';
import { writeReport } from '../evaluation/report/write-report.js';
import { Predictor } from '../inference/predictor.js';
import { buildExperiment, type Experiment } from '../training/config/build-experiment.js';
import { readRunLog } from '../training/watching/run-log.js';
import { packagePath } from '../program.js';
import { demoNotice } from './demo-notice.js';
import { figureHead, figureRow, figuresOf, measure, type MeasureRequest } from './measure.js';
import { packageConfig } from './package-config.js';
import { duration } from './progress.js';
import { trainExperiment } from './training-run.js';
import type { VerbContext } from './verb.js';

/** What `gsva demo` was asked for, checked. */
export interface DemoRequest {
  /** Training time. */
  readonly minutes: number;
  readonly out: string;
  readonly seed: number;
}

const CONFIG = 'tiny.json5';
const SIZES = { trainImages: 3000, valImages: 300, testAImages: 60, testBImages: 60 } as const;
/** Free generation writes token by token: fewer images, so that the demo ends soon. */
const GENERATE_IMAGES = 60;
const SAMPLES = 12;
const BATCH = 16;

/** @returns the exit code */
export async function runDemo(request: DemoRequest, context: VerbContext, engine: EngineInfo): Promise<number> {
  const { output } = context;
  const startedAt = performance.now();
  const data = join(request.out, `data-seed${request.seed}`);
  if (!existsSync(data)) await writeData(data, request.seed, context);
  const source = packagePath('configs', CONFIG);
  const config = packageConfig(source, [
    ['data.dir', data],
    ['training.seed', request.seed],
    ['training.schedule.maxMinutes', request.minutes],
  ]);
  const experiment = buildExperiment(config, source);
  try {
    const { system, gsva, tokenizer } = experiment;
    const predictor = new Predictor(system, gsva, tokenizer, config.conversation, { variant: config.variant });
    const val: MeasureRequest = {
      data,
      split: 'val',
      protocols: ['strict', 'reference'],
      limit: null,
      batch: BATCH,
      samples: 0,
    };

    const before = await measure(predictor, val, context, 'evaluate before');
    const out = join(request.out, 'train');
    rmSync(out, { recursive: true, force: true }); // the last demo's
    const { end, plots } = await trainExperiment(experiment, { out, resume: false }, context, engine);
    context.signal.throwIfAborted();
    const after = await measure(predictor, { ...val, samples: SAMPLES }, context, 'evaluate after');
    const free = await measure(
      predictor,
      { ...val, protocols: ['generate'], limit: GENERATE_IMAGES, samples: 0 },
      context,
      'generate',
    );

    const rows: MetricRow[] = [
      ...before.results.map((result) => ({
        stage: 'before training',
        protocol: result.protocol,
        metrics: figuresOf(result),
      })),
      ...[...after.results, ...free.results].map((result) => ({
        stage: 'after training',
        protocol: result.protocol,
        metrics: figuresOf(result),
      })),
    ];
    const [first, last] = [before.results[0], after.results[0]];
    const notice =
      first === undefined || last === undefined
        ? null
        : demoNotice({
            minutes: request.minutes,
            recipeMinutes: packageConfig(source, []).training.schedule.maxMinutes ?? null,
            warmupUpdates: config.training.schedule.warmupUpdates,
            losses: readRunLog(join(out, 'log.jsonl')).updates.map(({ losses }) => losses.loss ?? NaN),
            before: first,
            after: last,
          });
    const seconds = (performance.now() - startedAt) / 1000;
    const report = join(request.out, 'report');
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
        ['Data', `${data}: ${SIZES.trainImages} training and ${SIZES.valImages} val images, seed ${request.seed}`],
        ['Training', `${end.update} updates of ${config.training.batchSize} images in ${duration(end.elapsedSeconds)}`],
        ['Question', settingText(['strict', 'reference', 'generate'], 'default')],
        ['Free generation', `the first ${GENERATE_IMAGES} val images`],
      ],
      rows,
      plots,
      samples: after.samples,
    });
    if (notice !== null) output.line(notice);
    output.table(
      ['', ...figureHead(after.results)],
      [
        ...before.results.map((result) => ['before', ...figureRow(result)]),
        ...[...after.results, ...free.results].map((result) => ['after', ...figureRow(result)]),
      ],
    );
    output.line(`asked: ${settingText(['strict', 'reference', 'generate'], 'default')}`);
    output.line(`report: ${join(report, 'report.html')}`);
    output.line(`model:  ${join(out, 'last')}  (${duration(seconds)} in all)`);
    output.json({
      notice,
      rows,
      updates: end.update,
      seconds,
      report: join(report, 'report.html'),
      model: join(out, 'last'),
    });
    return 0;
  } finally {
    experiment.gsva.dispose();
  }
}

async function writeData(data: string, seed: number, context: VerbContext): Promise<void> {
  const total = SIZES.trainImages + SIZES.valImages + SIZES.testAImages + SIZES.testBImages;
  const bar = context.startProgress('make data', total);
  try {
    await writeSynthDataset(data, { seed, ...SIZES }, (done) => {
      context.signal.throwIfAborted();
      bar.update(done);
    });
  } finally {
    bar.stop();
  }
}

function parameterCount({ gsva }: Experiment): string {
  let count = 0;
  for (const { variable } of gsva.namedParameters().values()) {
    count += variable.shape.reduce<number>((product, size) => product * (size ?? 1), 1);
  }
  return `${(count / 1e6).toFixed(1)} million parameters`;
}
