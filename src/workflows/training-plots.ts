/** The curves of training runs: losses, validation figures, learning rate; of one run, or of several over each other. */
import { isAnswerRate } from '../evaluation/answer-rates.js';
import { metricTitle } from '../evaluation/figures.js';
import type { LinePlot, PlotSeries } from '../evaluation/report/line-plot.js';
import type { UpdateRecord, ValidationRecord } from '../training/watching/run-log.js';

/** A run with its name for the legend; '' where it is the only one. */
export interface NamedRun {
  readonly name: string;
  readonly updates: readonly UpdateRecord[];
  readonly validations: readonly ValidationRecord[];
}

/** Every part of the loss of one run. */
export function lossPlot({ updates }: Pick<NamedRun, 'updates'>): LinePlot {
  return {
    title: 'Training loss',
    xLabel: 'update',
    yLabel: 'loss (weighted)',
    yRange: 'zero',
    series: lossNames([{ updates }]).map((name) => ({ name, points: lossPoints(updates, name) })),
  };
}

/** One plot per part of the loss, 'loss' (the total) first. */
export function lossPlots(runs: readonly NamedRun[]): LinePlot[] {
  return lossNames(runs).map((part) => ({
    title: part === 'loss' ? 'Training loss' : `Training loss, ${part}`,
    xLabel: 'update',
    yLabel: `${part} (weighted)`,
    yRange: 'zero',
    series: runs.map(({ name, updates }) => ({ name, points: lossPoints(updates, part) })),
  }));
}

/** The total loss over the time that the runs took. */
export function lossByTime(runs: readonly NamedRun[]): LinePlot {
  return {
    title: 'Training loss by time',
    xLabel: 'minutes since the run began',
    yLabel: 'loss (weighted)',
    yRange: 'zero',
    series: runs.map(({ name, updates }) => ({
      name,
      points: updates.map(({ elapsedSeconds, losses }) => [elapsedSeconds / 60, losses.loss ?? NaN]),
    })),
  };
}

/** All figures of one run's validations, rates of free answers left out. */
export function validationPlot({ validations }: Pick<NamedRun, 'validations'>): LinePlot {
  return {
    title: 'Validation',
    xLabel: 'update',
    yLabel: 'fraction of 1',
    yRange: 'fraction',
    series: figureNames([{ validations }]).map((name) => validationSeries(metricTitle(name), validations, name)),
  };
}

/** One plot per figure of the validations. */
export function validationPlots(runs: readonly NamedRun[]): LinePlot[] {
  return figureNames(runs).map((figure) => ({
    title: `Validation, ${metricTitle(figure)}`,
    xLabel: 'update',
    yLabel: 'fraction of 1',
    yRange: 'fraction',
    series: runs.map(({ name, validations }) => validationSeries(name, validations, figure)),
  }));
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
  const plot = (title: string, upTo: number): LinePlot => ({
    title,
    xLabel: 'update',
    yLabel: 'learning rate',
    yRange: 'zero',
    isExact: true,
    bands,
    series: runs.map(({ name, updates }) => ({
      name: name === '' ? 'learning rate' : name,
      points: updates.filter(({ update }) => update <= upTo).map((record) => [record.update, record.learningRate]),
    })),
  });
  const whole = plot('Learning rate', Infinity);
  if (warmup === null || warmup >= SHORT_WARMUP * last) return [whole];
  return [whole, plot('Learning rate, the warm-up', 2 * warmup)];
}

function lossNames(runs: readonly Pick<NamedRun, 'updates'>[]): string[] {
  const all = new Set(runs.flatMap(({ updates }) => updates.flatMap(({ losses }) => Object.keys(losses))));
  return [...all].sort((a, b) => Number(b === 'loss') - Number(a === 'loss'));
}

function lossPoints(updates: readonly UpdateRecord[], part: string): PlotSeries['points'] {
  return updates.map(({ update, losses }) => [update, losses[part] ?? NaN]);
}

function figureNames(runs: readonly Pick<NamedRun, 'validations'>[]): string[] {
  const all = runs.flatMap(({ validations }) => validations.flatMap(({ metrics }) => Object.keys(metrics)));
  return [...new Set(all)].filter((name) => !isAnswerRate(name));
}

function validationSeries(name: string, validations: readonly ValidationRecord[], figure: string): PlotSeries {
  return { name, points: validations.map(({ update, metrics }) => [update, metrics[figure] ?? NaN]) };
}
