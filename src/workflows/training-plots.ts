/** The curves of training runs: losses, validation figures, learning rate; of one run, or of several over each other. */
import { isAnswerRate } from '../evaluation/answer-rates.js';
import { metricTitle } from '../evaluation/figures.js';
import type { LinePlot, PlotSeries } from '../evaluation/report/line-plot.js';
import type { RunHistory } from '../training/watching/run-log.js';

/** A run with its name for the legend; '' where it is the only one. */
export type NamedRun = Pick<RunHistory, 'updates' | 'validations'> & { readonly name: string };
type Updates = Pick<RunHistory, 'updates'>;
type Validations = Pick<RunHistory, 'validations'>;

/** @param more default: the y axis holds zero; the x axis is that of updates unless it says otherwise */
export function updatePlot(
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

/** The total loss over the time that the runs took. */
export function lossByTime(runs: readonly NamedRun[]): LinePlot {
  const series = runs.map(({ name, updates }): PlotSeries => {
    return { name, points: updates.map(({ elapsedSeconds, losses }) => [elapsedSeconds / 60, losses.loss ?? NaN]) };
  });
  const more = { xLabel: 'minutes since the run began', yRange: 'zero' } as const;
  return updatePlot('Training loss by time', 'loss (weighted)', series, more);
}

export const FRACTION = 'fraction of 1';

/** All figures of one run's validations, rates of free answers left out. */
export function validationPlot(run: Validations): LinePlot {
  const series = figureNames([run]).map((figure) => figureSeries(metricTitle(figure), run, figure));
  return updatePlot('Validation', FRACTION, series, { yRange: 'fraction' });
}

/** One plot per figure of the validations. */
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

export function figureSeries(name: string, { validations }: Validations, figure: string): PlotSeries {
  return { name, points: validations.map(({ update, metrics }) => [update, metrics[figure] ?? NaN]) };
}
