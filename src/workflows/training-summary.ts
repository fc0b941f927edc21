/**
 * summary.html: a training run on one page: what it was, its figures, its curves, pictures of its last validation. The
 * curves of losses, validations and learning rate are of one run, or of several over each other.
 */
import { join } from 'node:path';
import { describeEngine, type EngineInfo } from '../engine/engine.js';
import { ANSWER_RATES, type AnswerRate, isAnswerRate } from '../evaluation/answer-rates.js';
import { metricTitle } from '../evaluation/figures.js';
import type { LinePlot, PlotSeries } from '../evaluation/report/line-plot.js';
import type { MetricRow, ReportSample } from '../evaluation/report/report-data.js';
import { writeReportPage } from '../evaluation/report/write-report.js';
import { bytesText } from '../machine.js';
import type { ExperimentConfig } from '../training/config/experiment-config.js';
import { configChanges } from '../training/watching/config-differences.js';
import { type PartFigures, readRunLog, type RunHistory, type TrainingEnd } from '../training/watching/run-log.js';
import { duration } from './watch.js';

const FRACTION = 'fraction of 1';

/** Facts that the log does not hold. */
interface SummaryFacts {
  readonly config: ExperimentConfig;
  readonly engine: EngineInfo;
  readonly end: TrainingEnd;
  readonly plots: readonly LinePlot[];
  /** Samples of the last validation; empty where there was none. */
  readonly samples: readonly ReportSample[];
}

export async function writeSummary(out: string, facts: SummaryFacts): Promise<void> {
  const { config, engine, end, plots, samples } = facts;
  const history = readRunLog(join(out, 'log.jsonl'));
  const { seed, batchSize, accumulation, schedule } = config.training;
  await writeReportPage(join(out, 'summary.html'), {
    title: `Training: ${config.description}`,
    model: `${config.stage}, from ${config.start ?? 'random weights'}`,
    config: `seed ${seed}, ${batchSize} × ${accumulation} samples an update`,
    checkpoint: join(out, 'last'),
    engine: describeEngine(engine),
    date: new Date(),
    seconds: end.elapsedSeconds,
    details: details(history, end),
    rows: rows(history, end),
    plots: [
      ...plots,
      ...answerPlots(history),
      ...learningRatePlots([{ name: '', ...history }], schedule.warmupUpdates),
      ...coursePlots(history),
      ...partPlots(history),
    ],
    samples,
  });
}

export const ENDED: Readonly<Record<TrainingEnd['reason'], string>> = {
  updates: 'all updates made',
  time: 'the time was over',
  aborted: 'stopped; --resume continues it',
};

/** Figures of a run's course: epochs done, seconds in updates, samples a second, times that it was continued. */
export function courseOf({ updates, records }: RunHistory) {
  const busy = updates.reduce((sum, { seconds }) => sum + seconds, 0);
  const samples = updates.reduce((sum, { seconds, samplesPerSecond }) => sum + seconds * samplesPerSecond, 0);
  return {
    epochs: (updates.at(-1)?.epoch ?? 0).toFixed(2),
    busy,
    speed: (samples / Math.max(busy, 1e-9)).toFixed(2),
    resumed: records.filter(({ type }) => type === 'resume').length,
  };
}

function details(history: RunHistory, end: TrainingEnd): (readonly [string, string])[] {
  const changes = configChanges(history);
  const { epochs, busy, speed, resumed } = courseOf(history);
  const rates = Object.entries(history.validations.at(-1)?.metrics ?? {}).filter(([name]) => isAnswerRate(name));
  const answers = rates.map(([name, value]) => `${ANSWER_RATES[name as AnswerRate]}: ${value.toFixed(2)}`);
  return [
    ['Updates', `${end.update} (${ENDED[end.reason]})`],
    ['Epochs', epochs],
    ['Speed', `${speed} samples a second, ${duration(busy)} in updates`],
    ['Memory', `${bytesText(1024 * process.resourceUsage().maxRSS)} at most`],
    ...(rates.length === 0 ? [] : [['Free answers', answers.join('; ')] as const]),
    ...history.alarms.map(({ update, message }) => ['Alarm', `update ${update}: ${message}`] as const),
    ...(resumed === 0 ? [] : [['Resumed', `${resumed} ×`] as const]),
    ...(changes === '' ? [] : [['Configuration changed', changes] as const]),
  ];
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

function coursePlots({ updates }: RunHistory): LinePlot[] {
  const plot = (title: string, name: string, figure: 'gradNorm' | 'samplesPerSecond'): LinePlot =>
    updatePlot(title, name, [{ name, points: updates.map((record) => [record.update, record[figure]]) }]);
  return [plot('Gradient', 'norm before clipping', 'gradNorm'), plot('Speed', 'samples a second', 'samplesPerSecond')];
}

/** Rates, and counts, of free answers at the validations; none where there were no free answers. */
function answerPlots(history: RunHistory): LinePlot[] {
  const names = (Object.keys(ANSWER_RATES) as AnswerRate[]).filter((name) =>
    history.validations.some(({ metrics }) => Object.hasOwn(metrics, name)),
  );
  if (names.length === 0) return [];
  const series = (isCount: boolean): PlotSeries[] =>
    names
      .filter((name) => name.endsWith('_per_answer') === isCount)
      .map((name) => figureSeries(ANSWER_RATES[name], history, name));
  return [
    updatePlot('Free answers', FRACTION, series(false), { yRange: 'fraction' }),
    updatePlot('Tokens of free answers', 'in an answer', series(true)),
  ];
}

/** In powers of ten: the parts differ by orders of magnitude. */
function partPlots({ updates }: RunHistory): LinePlot[] {
  const watched = updates.flatMap(({ update, parts }) => (parts === undefined ? [] : [{ update, parts }]));
  const names = [...new Set(watched.flatMap(({ parts }) => Object.keys(parts)))];
  if (names.length === 0) return [];
  const plot = (title: string, figure: keyof PartFigures): LinePlot => {
    const series = names.map((name): PlotSeries => {
      return { name, points: watched.map(({ update, parts }) => [update, Math.log10(parts[name]?.[figure] ?? NaN)]) };
    });
    return updatePlot(title, 'log10', series, {});
  };
  return [plot('Gradient by part', 'gradNorm'), plot('Update ratio by part, ‖Δw‖ / ‖w‖', 'updateRatio')];
}

/** A run with its name for the legend; '' where it is the only one. */
export type NamedRun = Pick<RunHistory, 'updates' | 'validations'> & { readonly name: string };
type Updates = Pick<RunHistory, 'updates'>;
type Validations = Pick<RunHistory, 'validations'>;

/** @param more default: the y axis holds zero; the x axis is that of updates unless it says otherwise */
function updatePlot(
  title: string,
  yLabel: string,
  series: readonly PlotSeries[],
  more: Partial<LinePlot> = { yRange: 'zero' },
): LinePlot {
  return { title, xLabel: 'update', yLabel, series, ...more };
}

/** Every part of the loss of one run. */
export function lossPlot(run: Updates): LinePlot {
  const series = lossNames([run]).map((part) => lossSeries(part, run, part));
  return updatePlot('Training loss', 'loss (weighted)', series);
}

/** One plot per part of the loss, 'loss' (the total) first. */
export function lossPlots(runs: readonly NamedRun[]): LinePlot[] {
  return lossNames(runs).map((part) => {
    const title = part === 'loss' ? 'Training loss' : `Training loss, ${part}`;
    const series = runs.map((run) => lossSeries(run.name, run, part));
    return updatePlot(title, `${part} (weighted)`, series);
  });
}

export function lossByTime(runs: readonly NamedRun[]): LinePlot {
  const series = runs.map(({ name, updates }): PlotSeries => {
    return { name, points: updates.map(({ elapsedSeconds, losses }) => [elapsedSeconds / 60, losses.loss ?? NaN]) };
  });
  const more = { xLabel: 'minutes since the run began', yRange: 'zero' } as const;
  return updatePlot('Training loss by time', 'loss (weighted)', series, more);
}

/** All figures of one run's validations, rates of free answers left out. */
export function validationPlot(run: Validations): LinePlot {
  const series = figureNames([run]).map((figure) => figureSeries(metricTitle(figure), run, figure));
  return updatePlot('Validation', FRACTION, series, { yRange: 'fraction' });
}

export function validationPlots(runs: readonly NamedRun[]): LinePlot[] {
  return figureNames(runs).map((figure) => {
    const series = runs.map((run) => figureSeries(run.name, run, figure));
    return updatePlot(`Validation, ${metricTitle(figure)}`, FRACTION, series, { yRange: 'fraction' });
  });
}

/** A warm-up that takes less of the run than this is a vertical line, and shown once more by itself. */
const SHORT_WARMUP = 0.1;

/**
 * The learning rate of every update, not its mean; a short warm-up has a second plot.
 * @param warmupUpdates null: unknown
 */
export function learningRatePlots(runs: readonly NamedRun[], warmupUpdates: number | null): LinePlot[] {
  const last = Math.max(0, ...runs.map(({ updates }) => updates.at(-1)?.update ?? 0));
  const warmup = warmupUpdates === null || warmupUpdates === 0 ? null : Math.min(warmupUpdates, last);
  const bands = warmup === null || last === 0 ? [] : [{ from: 0, to: warmup, name: 'warm-up' }];
  const plot = (title: string, upTo: number): LinePlot => {
    const series = runs.map(({ name, updates }): PlotSeries => {
      const shown = updates.filter(({ update }) => update <= upTo);
      return { name: name || 'learning rate', points: shown.map((each) => [each.update, each.learningRate]) };
    });
    return updatePlot(title, 'learning rate', series, { yRange: 'zero', isExact: true, bands });
  };
  const whole = plot('Learning rate', Infinity);
  if (warmup === null || warmup >= SHORT_WARMUP * last) return [whole];
  return [whole, plot('Learning rate, the warm-up', 2 * warmup)];
}

function lossNames(runs: readonly Updates[]): string[] {
  const all = new Set(runs.flatMap(({ updates }) => updates.flatMap(({ losses }) => Object.keys(losses))));
  return [...all].sort((a, b) => Number(b === 'loss') - Number(a === 'loss'));
}

function lossSeries(name: string, { updates }: Updates, part: string): PlotSeries {
  return { name, points: updates.map(({ update, losses }) => [update, losses[part] ?? NaN]) };
}

function figureNames(runs: readonly Validations[]): string[] {
  const all = runs.flatMap(({ validations }) => validations.flatMap(({ metrics }) => Object.keys(metrics)));
  return [...new Set(all)].filter((name) => !isAnswerRate(name));
}

function figureSeries(name: string, { validations }: Validations, figure: string): PlotSeries {
  return { name, points: validations.map(({ update, metrics }) => [update, metrics[figure] ?? NaN]) };
}
