/**
 * The whole way once: makes the embedded benchmark's data, trains GSVA's recipe on the tiny base, measures it before and
 * after, and writes a report with pictures.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openEvaluatedSet } from '../data/evaluated-sets.js';
import { OWN_FORMS, settingText } from '../evaluation/conversations.js';
import { describeEngine, type EngineOptions } from '../engine/engine.js';
import { writeReport } from '../evaluation/report/write-report.js';
import { packagePath } from '../program.js';
import { writeSynthDataset } from '../synthetic/writer.js';
import type { Experiment } from '../training/config/build-experiment.js';
import { readRunLog } from '../training/watching/run-log.js';
import { demoNotice } from './demo-notice.js';
import { startNoted } from './engine.js';
import { measure, type MeasureOptions } from './measure.js';
import { packageConfig, predictorOf, withExperiment } from './experiment.js';
import { trainExperiment } from './training-run.js';
import { counted, duration, type Watch } from './watch.js';

interface DemoOptions extends Watch {
  /** Training time. */
  readonly minutes: number;
  /** Folder for data, checkpoints and report. */
  readonly out: string;
  /** Seed of the data and of the training. */
  readonly seed: number;
  readonly engine?: EngineOptions;
}

const FORCED = ['strict', 'reference'] as const;
const CONFIG = 'tiny.json5';
const SIZES = { trainImages: 3000, valImages: 300, testAImages: 60, testBImages: 60 } as const;
/** Free generation writes token by token: fewer images, so that the demo ends soon. */
const GENERATE_IMAGES = 60;
const SAMPLES = 12;
const BATCH = 16;

export async function demo(options: DemoOptions) {
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
  return withExperiment(config, source, async (experiment) => {
    const predictor = predictorOf(experiment);
    const val = await openEvaluatedSet('grefcoco', data, 'val', { honourIgnore: false });
    const evaluate = (label: string, more: Omit<MeasureOptions, 'batch' | 'label'>): ReturnType<typeof measure> =>
      measure(predictor, val, { ...more, batch: BATCH, label }, options);

    const { results: before } = await evaluate('evaluate before', { protocols: FORCED });
    const out = join(options.out, 'train');
    rmSync(out, { recursive: true, force: true }); // the last demo's
    const { end, plots } = await trainExperiment(experiment, engine, { ...options, out });
    options.signal?.throwIfAborted();
    const { results, samples } = await evaluate('evaluate after', { protocols: FORCED, samples: SAMPLES });
    const free = await evaluate('generate', { protocols: ['generate'], limit: GENERATE_IMAGES });

    const after = [...results, ...free.results];
    const rows = [...before, ...after].map(({ protocol, figures }, i) => {
      return { stage: i < before.length ? 'before training' : 'after training', protocol, metrics: figures };
    });
    const [first, last] = [before[0], after[0]];
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
    const asked = settingText(predictor.asking.dialogue, [...FORCED, 'generate'], OWN_FORMS);
    const model = join(out, 'last');
    await writeReport(report, {
      title: 'GSVA, small, end to end',
      ...(notice === null ? {} : { notice }),
      model: `${config.description}; ${parameterCount(experiment)}`,
      config: `configs/${CONFIG}`,
      checkpoint: model,
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
      samples,
    });
    const page = join(report, 'report.html');
    return { notice, before, after, rows, updates: end.update, seconds, asked, report: page, model };
  });
}

function parameterCount({ network }: Experiment): string {
  let count = 0;
  for (const { variable } of network.namedParameters().values()) {
    count += variable.shape.reduce<number>((product, size) => product * (size ?? 1), 1);
  }
  return `${(count / 1e6).toFixed(1)} million parameters`;
}
