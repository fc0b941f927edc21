/** `gsva report compare` of two trainings: what was configured otherwise, how each went, and its curves over the other's. */
import { basename, resolve } from 'node:path';
import { isAnswerRate } from '../evaluation/answer-rates.js';
import { metricTitle } from '../evaluation/figures.js';
import type { PageSection, TablePage } from '../evaluation/report/write-report.js';
import type { TrainingEnd, ValidationRecord } from '../training/watching/run-log.js';
import { duration } from './watch.js';
import { configChanges, type ConfigDifference, configDifferences } from '../training/watching/config-differences.js';
import type { TrainingFolder } from './training-folder.js';
import { learningRatePlots, lossByTime, lossPlots, type NamedRun, validationPlots } from './training-plots.js';

export interface TrainingComparison {
  readonly a: string;
  readonly b: string;
  readonly config: readonly ConfigDifference[];
  /** Keys of the configuration that agree. */
  readonly sameKeys: number;
  readonly course: readonly { readonly name: string; readonly a: string; readonly b: string }[];
  readonly figures: readonly FigureAtEnd[];
}

export interface FigureAtEnd {
  /** "last" or "best" validation. */
  readonly validation: 'last' | 'best';
  readonly figure: string;
  /** Updates after which it was measured. */
  readonly updates: readonly [a: number | null, b: number | null];
  /** Null where a run has no such figure, or nothing decides it. */
  readonly a: number | null;
  readonly b: number | null;
  readonly difference: number | null;
}

const ENDED: Readonly<Record<TrainingEnd['reason'], string>> = {
  updates: 'all updates made',
  time: 'the time was over',
  aborted: 'stopped by hand',
};

export function compareTrainings(a: TrainingFolder, b: TrainingFolder): TrainingComparison {
  const { differ, same } = configDifferences(a.header['config'], b.header['config']);
  const facts = [factsOf(a), factsOf(b)] as const;
  return {
    a: a.path,
    b: b.path,
    config: differ,
    sameKeys: same,
    course: facts[0].map(([name, value], i) => ({ name, a: value, b: facts[1][i]?.[1] ?? '–' })),
    figures: [
      ...figuresOf('last', a.history.validations.at(-1), b.history.validations.at(-1)),
      ...figuresOf('best', bestOf(a), bestOf(b)),
    ],
  };
}

/** How a run went; the same names for every run. */
function factsOf({ header, history, end }: TrainingFolder): [string, string][] {
  const { updates, validations, alarms, records } = history;
  const last = updates.at(-1);
  const busy = updates.reduce((sum, { seconds }) => sum + seconds, 0);
  const samples = updates.reduce((sum, { seconds, samplesPerSecond }) => sum + seconds * samplesPerSecond, 0);
  const tenth = Math.max(1, Math.floor(updates.length / 10));
  const losses = updates.slice(-tenth).map(({ losses: { loss = NaN } }) => loss);
  const said = (key: string): string => {
    const value = header[key];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '–';
  };
  return [
    ['Stage', said('stage')],
    ['Engine', said('engine')],
    ['Processes', said('ranks')],
    ['Updates', String(last?.update ?? 0)],
    ['Epochs', (last?.epoch ?? 0).toFixed(2)],
    ['Time', duration(end?.elapsedSeconds ?? last?.elapsedSeconds ?? 0)],
    ['Samples a second', (samples / Math.max(busy, 1e-9)).toFixed(2)],
    ['Ended', end === null ? 'no end in its log: killed, or still running' : ENDED[end.reason]],
    ['Loss, mean of the last tenth', (losses.reduce((sum, loss) => sum + loss, 0) / losses.length).toFixed(4)],
    ['Validations', String(validations.length)],
    ['Resumed', String(records.filter(({ type }) => type === 'resume').length)],
    ['Configuration changed', configChanges(history) || 'no'],
    ['Alarms', alarms.length === 0 ? 'none' : alarms.map(({ kind, update }) => `${kind} at ${update}`).join(', ')],
  ];
}

function bestOf({ history: { validations } }: TrainingFolder): ValidationRecord | undefined {
  return validations.findLast(({ isBest }) => isBest);
}

function figuresOf(
  validation: FigureAtEnd['validation'],
  a: ValidationRecord | undefined,
  b: ValidationRecord | undefined,
): FigureAtEnd[] {
  const names = new Set([...Object.keys(a?.metrics ?? {}), ...Object.keys(b?.metrics ?? {})]);
  return [...names]
    .filter((name) => !isAnswerRate(name))
    .map((figure) => {
      const [x, y] = [finite(a?.metrics[figure]), finite(b?.metrics[figure])];
      const difference = x === null || y === null ? null : y - x;
      return { validation, figure, updates: [a?.update ?? null, b?.update ?? null], a: x, b: y, difference };
    });
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

/** The page; its tables are those of the terminal. */
export function trainingPage(comparison: TrainingComparison, a: TrainingFolder, b: TrainingFolder): TablePage {
  const runs = namedRuns(a, b);
  return {
    title: `Two trainings: ${runs[0].name} and ${runs[1].name}`,
    notes: [`a: ${a.path}`, `b: ${b.path}`],
    sections: [configSection(comparison), courseSection(comparison), figureSection(comparison), ...curves(a, b, runs)],
  };
}

/** Named by their folders, with a and b before, since these may have the same name. */
function namedRuns(a: TrainingFolder, b: TrainingFolder): readonly [NamedRun, NamedRun] {
  const named = ({ path, history: { updates, validations } }: TrainingFolder, letter: string): NamedRun => {
    return { name: `${letter}: ${basename(resolve(path))}`, updates, validations };
  };
  return [named(a, 'a'), named(b, 'b')];
}

export function configSection({ config, sameKeys }: TrainingComparison): PageSection {
  const rows = config.map(({ key, a, b }) => [key, a ?? 'absent', b ?? 'absent']);
  const same = `${sameKeys} ${sameKeys === 1 ? 'key agrees' : 'keys agree'}.`;
  return {
    title: 'Configuration',
    notes: [rows.length === 0 ? `No key differs; ${same}` : same],
    table: rows.length === 0 ? null : { head: ['Key', 'a', 'b'], rows, left: 3 },
    plots: [],
  };
}

export function courseSection({ course }: TrainingComparison): PageSection {
  const rows = course.map(({ name, a, b }) => [name, a, b]);
  return { title: 'Course', notes: [], table: { head: ['', 'a', 'b'], rows, left: 3 }, plots: [] };
}

export function figureSection({ figures, config }: TrainingComparison): PageSection {
  const at = ({ updates: [a, b] }: FigureAtEnd): string =>
    a === b ? `update ${a ?? '–'}` : `update ${a ?? '–'} and ${b ?? '–'}`;
  const rows = figures.map((each) => [
    `${each.validation}: ${at(each)}`,
    metricTitle(each.figure),
    each.a?.toFixed(4) ?? '–',
    each.b?.toFixed(4) ?? '–',
    each.difference === null ? '–' : `${each.difference < 0 ? '−' : '+'}${Math.abs(each.difference).toFixed(4)}`,
  ]);
  const otherData = config.filter(({ key }) => key === 'data' || key.startsWith('data.')).map(({ key }) => key);
  return {
    title: 'Figures of the validations',
    notes: [
      ...(rows.length === 0 ? ['Neither run was validated.'] : []),
      ...(otherData.length === 0
        ? []
        : [`The data differ (${otherData.join(', ')}): the figures may be of other images.`]),
      'These are figures of few images and of one training each. Whether a difference is more than chance, measure by ' +
        'recorded evaluations of both models (eval, with --records), compared.',
    ],
    table: rows.length === 0 ? null : { head: ['Validation', 'Figure', 'a', 'b', 'b − a'], rows, left: 2 },
    plots: [],
  };
}

function curves(a: TrainingFolder, b: TrainingFolder, runs: readonly NamedRun[]): PageSection[] {
  const warmups = [a, b].map(({ header }) => warmupOf(header['config']));
  // A band belongs to both runs or to none.
  const warmup = warmups[0] === warmups[1] ? (warmups[0] ?? null) : null;
  const section = (title: string, plots: PageSection['plots']): PageSection => {
    return { title, notes: [], table: null, plots };
  };
  const validations = validationPlots(runs);
  return [
    section('Loss', [...lossPlots(runs), lossByTime(runs)]),
    ...(validations.length === 0 ? [] : [section('Validation', validations)]),
    section('Learning rate', learningRatePlots(runs, warmup)),
  ];
}

function warmupOf(config: unknown): number | null {
  const at = (value: unknown, key: string): unknown =>
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  const found = at(at(at(config, 'training'), 'schedule'), 'warmupUpdates');
  return typeof found === 'number' ? found : null;
}
