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
import type { Result } from '../evaluation/records/record-types.js';
import { writeReport } from '../evaluation/report/write-report.js';
import { packagePath } from '../program.js';
import { writeSynthDataset } from '../synthetic/writer.js';
import type { Experiment } from '../training/config/build-experiment.js';
import { readRunLog } from '../training/watching/run-log.js';
import { startNoted } from './engine.js';
import { measure, type MeasureOptions } from './measure.js';
import { packageConfig, predictorOf, withExperiment } from './experiment.js';
import { trainExperiment } from './training-run.js';
import { counted, duration, type Watch } from './watch.js';

interface DemoOptions extends Watch {
  readonly minutes: number;
  readonly out: string;
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

/** Course of a demo, to be judged: figures of a run that was too short are no result. */
export interface DemoCourse {
  /** Time that it was given to train. */
  readonly minutes: number;
  /** Time that its recipe is made for; null where it has none. */
  readonly recipeMinutes: number | null;
  readonly warmupUpdates: number;
  readonly losses: readonly number[];
  /** Figures of the same images by the same protocol. */
  readonly before: Pick<Result, 'gIoU' | 'N_acc' | 'T_acc'>;
  readonly after: Pick<Result, 'gIoU' | 'N_acc' | 'T_acc'>;
}

/** A run of less than this share of the recipe's time is short, */
const SHORT = 0.5;
/** unless it has come so far all the same, as on a fast machine. */
const LEARNED_GIOU = 0.6;
/** The last losses must fall below this share of the first. */
const FALLEN = 0.8;
/** The least rise of gIoU, */
const RISEN = 0.1;
/** and the least mean of N-acc and T-acc: a guess has 0.5. */
const DECIDES = 0.6;

/** The warning that stands before any figure; null where the run has learned. */
export function demoNotice(course: DemoCourse): string | null {
  const { minutes, recipeMinutes, warmupUpdates, losses, after } = course;
  const isShort = recipeMinutes !== null && minutes < SHORT * recipeMinutes;
  const unmoved = unmovedReason(course);
  if (!isShort && unmoved === null) return null;
  if (isShort && unmoved === null && (after.gIoU ?? 0) >= LEARNED_GIOU) return null;
  const made = `${losses.length} updates in ${minutes} minute${minutes === 1 ? '' : 's'}`;
  const warmup = losses.length <= warmupUpdates ? `, and the warm-up alone takes ${warmupUpdates}` : '';
  const why = unmoved === null ? '' : `; ${unmoved}`;
  if (isShort) {
    return (
      `Too short to learn: ${made}${warmup}; the recipe is made for ${recipeMinutes} minutes${why}. The figures are those ` +
      `of a model at the beginning of its training and no result. Use --minutes ${recipeMinutes}.`
    );
  }
  return (
    `Nothing learned: ${made}${warmup}${why}. The figures are no result. Give it more time (--minutes), or look for the ` +
    'reason as docs/is-it-learning.md says.'
  );
}

function unmovedReason({ losses, before, after }: DemoCourse): string | null {
  if (losses.length === 0) return 'no update was made';
  const tenth = Math.max(1, Math.floor(losses.length / 10));
  const [first, last] = [mean(losses.slice(0, tenth)), mean(losses.slice(-tenth))];
  if (!(last < FALLEN * first)) return `the loss went from ${first.toFixed(2)} to ${last.toFixed(2)}`;
  const [from, to] = [before.gIoU ?? 0, after.gIoU ?? 0];
  if (to - from < RISEN) return `gIoU went from ${from.toFixed(3)} to ${to.toFixed(3)}`;
  const decides = mean([after.N_acc ?? 0, after.T_acc ?? 0]);
  if (decides < DECIDES) return `the mean of N-acc and T-acc is ${decides.toFixed(3)}, a guess has 0.5`;
  return null;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
