/** summary.html: a training run on one page: what it was, its figures, its curves, pictures of its last validation. */
import { join } from 'node:path';
import { describeEngine, type EngineInfo } from '../engine/engine.js';
import { ANSWER_RATES, type AnswerRate, isAnswerRate } from '../evaluation/answer-rates.js';
import type { LinePlot } from '../evaluation/report/line-plot.js';
import type { MetricRow, ReportSample } from '../evaluation/report/report-data.js';
import { writeReportPage } from '../evaluation/report/write-report.js';
import { bytesText } from '../machine.js';
import type { ExperimentConfig } from '../training/config/experiment-config.js';
import {
  type PartFigures,
  readRunLog,
  type RunHistory,
  type TrainingEnd,
  type UpdateRecord,
  type ValidationRecord,
} from '../training/watching/run-log.js';
import { duration } from './watch.js';
import { learningRatePlots } from './training-plots.js';
import { configChanges } from '../training/watching/config-differences.js';

/** Facts that the log does not hold. */
export interface SummaryFacts {
  readonly config: ExperimentConfig;
  readonly engine: EngineInfo;
  readonly end: TrainingEnd;
  readonly plots: readonly LinePlot[];
  /** Samples of the last validation; empty where there was none. */
  readonly samples: readonly ReportSample[];
}

const ENDED: Readonly<Record<TrainingEnd['reason'], string>> = {
  updates: 'all updates made',
  time: 'the time was over',
  aborted: 'stopped; --resume continues it',
};

export async function writeSummary(out: string, facts: SummaryFacts): Promise<void> {
  const { config, engine, end, plots, samples } = facts;
  const history = readRunLog(join(out, 'log.jsonl'));
  await writeReportPage(join(out, 'summary.html'), {
    title: `Training: ${config.description}`,
    model: `${config.stage}, from ${config.start ?? 'random weights'}`,
    config: `seed ${config.training.seed}, ${config.training.batchSize} × ${config.training.accumulation} samples an update`,
    checkpoint: join(out, 'last'),
    engine: describeEngine(engine),
    date: new Date(),
    seconds: end.elapsedSeconds,
    details: details(history, end),
    rows: rows(history, end),
    plots: [
      ...plots,
      ...answerPlots(history.validations),
      ...learningRatePlots([{ name: '', ...history }], config.training.schedule.warmupUpdates),
      ...coursePlots(history.updates),
      ...partPlots(history.updates),
    ],
    samples,
  });
}

function details(history: RunHistory, end: TrainingEnd): (readonly [string, string])[] {
  const { updates, validations, alarms, records } = history;
  const changes = configChanges(history);
  const last = updates.at(-1);
  const resumed = records.filter(({ type }) => type === 'resume').length;
  const busy = updates.reduce((sum, { seconds }) => sum + seconds, 0);
  const samples = updates.reduce((sum, { seconds, samplesPerSecond }) => sum + seconds * samplesPerSecond, 0);
  return [
    ['Updates', `${end.update} (${ENDED[end.reason]})`],
    ['Epochs', (last?.epoch ?? 0).toFixed(2)],
    ['Speed', `${(samples / Math.max(busy, 1e-9)).toFixed(2)} samples a second, ${duration(busy)} in updates`],
    ['Memory', `${bytesText(1024 * process.resourceUsage().maxRSS)} at most`],
    ...answers(validations.at(-1)?.metrics ?? {}),
    ...alarms.map(({ update, message }) => ['Alarm', `update ${update}: ${message}`] as const),
    ...(resumed === 0 ? [] : [['Resumed', `${resumed} ×`] as const]),
    ...(changes === '' ? [] : [['Configuration changed', changes] as const]),
  ];
}

/** Rates of the last validation's free answers. */
function answers(metrics: Readonly<Record<string, number>>): (readonly [string, string])[] {
  const rates = Object.entries(metrics).filter(([name]) => isAnswerRate(name));
  if (rates.length === 0) return [];
  const words = rates.map(([name, value]) => `${ANSWER_RATES[name as AnswerRate]}: ${value.toFixed(2)}`);
  return [['Free answers', words.join('; ')]];
}

/** The first, the best and the last validation, each update once. */
function rows({ validations }: RunHistory, { best }: TrainingEnd): MetricRow[] {
  const named = [
    ['first', validations[0]],
    ['best', validations.findLast(({ update }) => update === best?.update)],
    ['last', validations.at(-1)],
  ] as const;
  const updates = new Set(named.flatMap(([, record]) => record?.update ?? []));
  return [...updates].map((update) => {
    const same = named.filter(([, record]) => record?.update === update);
    const all = Object.entries(same[0]?.[1]?.metrics ?? {});
    const metrics = Object.fromEntries(all.filter(([name]) => !isAnswerRate(name)));
    return { stage: `${same.map(([name]) => name).join(', ')}: update ${update}`, protocol: 'strict', metrics };
  });
}

function coursePlots(updates: readonly UpdateRecord[]): LinePlot[] {
  const plot = (title: string, yLabel: string, of: (record: UpdateRecord) => number): LinePlot => ({
    title,
    xLabel: 'update',
    yLabel,
    yRange: 'zero',
    series: [{ name: yLabel, points: updates.map((record) => [record.update, of(record)]) }],
  });
  return [
    plot('Gradient', 'norm before clipping', ({ gradNorm }) => gradNorm),
    plot('Speed', 'samples a second', ({ samplesPerSecond }) => samplesPerSecond),
  ];
}

const FRACTION = 'fraction of 1';

/** Rates, and counts, of free answers at the validations; none where there were no free answers. */
function answerPlots(validations: readonly ValidationRecord[]): LinePlot[] {
  const names = (Object.keys(ANSWER_RATES) as AnswerRate[]).filter((name) =>
    validations.some(({ metrics }) => Object.hasOwn(metrics, name)),
  );
  const plot = (title: string, yLabel: string, shown: readonly AnswerRate[]): LinePlot => ({
    title,
    xLabel: 'update',
    yLabel,
    yRange: yLabel === FRACTION ? 'fraction' : 'zero',
    series: shown.map((name) => ({
      name: ANSWER_RATES[name],
      points: validations.map(({ update, metrics }) => [update, metrics[name] ?? NaN]),
    })),
  });
  if (names.length === 0) return [];
  const isCount = (name: AnswerRate): boolean => name.endsWith('_per_answer');
  return [
    plot(
      'Free answers',
      FRACTION,
      names.filter((name) => !isCount(name)),
    ),
    plot('Tokens of free answers', 'in an answer', names.filter(isCount)),
  ];
}

/** In powers of ten: the parts differ by orders of magnitude. */
function partPlots(updates: readonly UpdateRecord[]): LinePlot[] {
  const watched = updates.flatMap(({ update, parts }) => (parts === undefined ? [] : [{ update, parts }]));
  const names = [...new Set(watched.flatMap(({ parts }) => Object.keys(parts)))];
  const plot = (title: string, figure: keyof PartFigures): LinePlot => ({
    title,
    xLabel: 'update',
    yLabel: 'log10',
    series: names.map((name) => ({
      name,
      points: watched.map(({ update, parts }) => [update, Math.log10(parts[name]?.[figure] ?? NaN)]),
    })),
  });
  if (names.length === 0) return [];
  return [plot('Gradient by part', 'gradNorm'), plot('Update ratio by part, ‖Δw‖ / ‖w‖', 'updateRatio')];
}
