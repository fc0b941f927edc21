/** Two evaluations over the same expressions, or two trainings, compared: sections of figures, and a page of them. */
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { UserError } from '../errors.js';
import { isAnswerRate } from '../evaluation/answer-rates.js';
import * as runs from '../evaluation/compare.js';
import { metricTitle } from '../evaluation/figures.js';
import { readWholeRun } from '../evaluation/records/record-file.js';
import { type PageSection, writeTablePage } from '../evaluation/report/write-report.js';
import { configChanges, configDifferences } from '../training/watching/config-differences.js';
import { readRunLog, type ValidationRecord } from '../training/watching/run-log.js';
import * as summary from './training-summary.js';
import { duration } from './watch.js';

const LOG = 'log.jsonl';

interface CompareOptions extends runs.CompareOptions {
  /** Records of an evaluation, or the folder of a training; differences are b − a. */
  readonly a: string;
  readonly b: string;
  readonly out?: string;
}

/**
 * @returns sections as the page has them, the comparison in words and as plain data, and the page's path (null without)
 * @throws UserError where the two are of different kinds, or cannot be compared
 */
export function compare(options: CompareOptions) {
  const { a, b, out } = options;
  const [kindA, kindB] = [kindOfRun(a), kindOfRun(b)];
  if (kindA !== kindB) {
    const words = { training: 'the folder of a training', records: 'a file of records' } as const;
    throw new UserError(
      `Comparing: ${a} is ${words[kindA]}, ${b} is ${words[kindB]}. Name the folders of two trainings, or the records of ` +
        'two evaluations (the records of each).',
    );
  }
  const { page, ...found } = kindA === 'training' ? compareTrainings(a, b) : compareRecords(options);
  return { ...found, report: out === undefined ? null : writeTablePage(out, page, found.facts) };
}

/** The kind of run at a path: the folder of a training (or its log), or a file of records. */
function kindOfRun(path: string): 'training' | 'records' {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined)
    throw new UserError(`Comparing: ${path} does not exist. Name a run’s folder or its records.`);
  if (!found.isDirectory()) return basename(path) === LOG ? 'training' : 'records';
  if (existsSync(join(path, LOG))) return 'training';
  const parent = dirname(resolve(path));
  const advice = existsSync(join(parent, LOG))
    ? `It lies in the folder of a training: name ${parent}.`
    : 'Name the folder that a training was given as --out, or a file that an evaluation has written as --records.';
  throw new UserError(`Comparing: ${path} has no ${LOG}, so it is not the folder of a training. ${advice}`);
}

const INTERVAL_NOTE =
  'The interval covers the choice of images: how far a difference may be chance. It does not cover other seeds of ' +
  'training.';

function compareRecords({ a, b, resamples, seed }: CompareOptions) {
  const files = [readWholeRun(a), readWholeRun(b)] as const;
  const comparisons = runs.compareRuns(...files, { resamples, seed });
  const settings = runs.settingDifferences(...files);
  const sections = comparisons.map(runs.recordsSection);
  const notes = [
    `a ${a}, b ${b}; paired bootstrap over images, ${resamples} resamples, seed ${seed}`,
    ...(settings.length === 0 ? [] : [`measured differently: ${settings.map(runs.settingWords).join(', ')}`]),
  ];
  const title = 'Two evaluations over the same expressions';
  const page = { title, notes: [...notes, INTERVAL_NOTE], sections };
  return { sections, notes, facts: { a, b, resamples, seed, settings, comparisons }, page };
}

type TrainingFolder = ReturnType<typeof readTrainingFolder>;
type TrainingFacts = ReturnType<typeof factsOf>;
type FigureAtEnd = TrainingFacts['figures'][number];

/**
 * A finished or interrupted training, as its folder keeps it: its configuration and its course.
 * @param path of the folder, or of its log @throws UserError where the log cannot be read or holds no update
 */
export function readTrainingFolder(path: string) {
  const folder = basename(path) === LOG ? dirname(path) : path;
  const history = readRunLog(join(folder, LOG));
  if (history.updates.length === 0) {
    throw new UserError(`Comparing: ${join(folder, LOG)} has no update yet; there is nothing to compare.`);
  }
  const resumed = history.records.findLast((record) => record.type === 'resume');
  const last = history.records.at(-1);
  return {
    path: folder,
    history,
    /** Header of the run, or of its last continuation. */
    header: resumed?.['config'] === undefined ? history.header : { ...resumed },
    /** Null where the run was killed, or is still going on. */
    end: last?.type === 'end' ? last : null,
  };
}

/** The comparison as plain data and as a page; its tables are those of the terminal. */
function compareTrainings(pathA: string, pathB: string) {
  const [a, b] = [readTrainingFolder(pathA), readTrainingFolder(pathB)];
  const facts = factsOf(a, b);
  // Named by their folders, with a and b before, since these may have the same name.
  const named = ({ path, history }: TrainingFolder, letter: string): summary.NamedRun => {
    return { ...history, name: `${letter}: ${basename(resolve(path))}` };
  };
  const runs = [named(a, 'a'), named(b, 'b')] as const;
  const keys = facts.config.map(({ key, a: inA, b: inB }) => [key, inA ?? 'absent', inB ?? 'absent']);
  const same = `${facts.sameKeys} ${facts.sameKeys === 1 ? 'key agrees' : 'keys agree'}.`;
  const course = facts.course.map(({ name, a: inA, b: inB }) => [name, inA, inB]);
  const sections = [
    section('Configuration', ['Key', 'a', 'b'], keys, [keys.length === 0 ? `No key differs; ${same}` : same]),
    section('Course', ['', 'a', 'b'], course, []),
    figureSection(facts),
  ];
  const page = {
    title: `Two trainings: ${runs[0].name} and ${runs[1].name}`,
    notes: [`a: ${a.path}`, `b: ${b.path}`],
    sections: [...sections, ...curves(a, b, runs)],
  };
  return { sections, notes: [`a ${pathA}, b ${pathB}`], facts, page };
}

function factsOf(a: TrainingFolder, b: TrainingFolder) {
  const { differ, same } = configDifferences(a.header['config'], b.header['config']);
  const course = courseFacts(b);
  const bestOf = ({ history }: TrainingFolder) => history.validations.findLast(({ isBest }) => isBest);
  return {
    a: a.path,
    b: b.path,
    config: differ,
    sameKeys: same,
    course: courseFacts(a).map(([name, value], i) => ({ name, a: value, b: course[i]?.[1] ?? '–' })),
    figures: [
      ...figuresOf('last', a.history.validations.at(-1), b.history.validations.at(-1)),
      ...figuresOf('best', bestOf(a), bestOf(b)),
    ],
  };
}

function courseFacts({ header, history, end }: TrainingFolder): [string, string][] {
  const { updates, validations, alarms } = history;
  const { epochs, speed, resumed } = summary.courseOf(history);
  const last = updates.at(-1);
  const tenth = Math.max(1, Math.floor(updates.length / 10));
  const losses = updates.slice(-tenth).map(({ losses: { loss = NaN } }) => loss);
  const said = (key: string): string => {
    const value = header[key];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '–';
  };
  const ended = { ...summary.ENDED, aborted: 'stopped by hand' };
  return [
    ['Stage', said('stage')],
    ['Engine', said('engine')],
    ['Processes', said('ranks')],
    ['Updates', String(last?.update ?? 0)],
    ['Epochs', epochs],
    ['Time', duration(end?.elapsedSeconds ?? last?.elapsedSeconds ?? 0)],
    ['Samples a second', speed],
    ['Ended', end === null ? 'no end in its log: killed, or still running' : ended[end.reason]],
    ['Loss, mean of the last tenth', (losses.reduce((sum, loss) => sum + loss, 0) / losses.length).toFixed(4)],
    ['Validations', String(validations.length)],
    ['Resumed', String(resumed)],
    ['Configuration changed', configChanges(history) || 'no'],
    ['Alarms', alarms.length === 0 ? 'none' : alarms.map(({ kind, update }) => `${kind} at ${update}`).join(', ')],
  ];
}

/** Figures of both; null where a run has no such figure, or nothing decides it. */
function figuresOf(validation: 'last' | 'best', a: ValidationRecord | undefined, b: ValidationRecord | undefined) {
  const names = new Set([...Object.keys(a?.metrics ?? {}), ...Object.keys(b?.metrics ?? {})]);
  return [...names]
    .filter((name) => !isAnswerRate(name))
    .map((figure) => {
      const [x, y] = [finite(a?.metrics[figure]), finite(b?.metrics[figure])];
      /** Updates after which it was measured. */
      const updates: readonly [number | null, number | null] = [a?.update ?? null, b?.update ?? null];
      return { validation, figure, updates, a: x, b: y, difference: x === null || y === null ? null : y - x };
    });
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

/** Columns are aligned left, but for numbers from the third on in a wider table. */
function section(title: string, head: string[], rows: string[][], notes: string[]): PageSection {
  const table = rows.length === 0 ? null : { head, rows, left: head.length > 3 ? 2 : 3 };
  return { title, notes, table, plots: [] };
}

function figureSection({ figures, config }: TrainingFacts): PageSection {
  const at = ({ updates: [a, b] }: FigureAtEnd): string =>
    a === b ? `update ${a ?? '–'}` : `update ${a ?? '–'} and ${b ?? '–'}`;
  const rows = figures.map((each) => [
    `${each.validation}: ${at(each)}`,
    metricTitle(each.figure),
    each.a?.toFixed(4) ?? '–',
    each.b?.toFixed(4) ?? '–',
    each.difference === null ? '–' : `${each.difference < 0 ? '−' : '+'}${Math.abs(each.difference).toFixed(4)}`,
  ]);
  const data = config.map(({ key }) => key).filter((key) => key === 'data' || key.startsWith('data.'));
  return section('Figures of the validations', ['Validation', 'Figure', 'a', 'b', 'b − a'], rows, [
    ...(rows.length === 0 ? ['Neither run was validated.'] : []),
    ...(data.length === 0 ? [] : [`The data differ (${data.join(', ')}): the figures may be of other images.`]),
    'These are figures of few images and of one training each. Whether a difference is more than chance, measure by ' +
      'recorded evaluations of both models (eval, with --records), compared.',
  ]);
}

function curves(a: TrainingFolder, b: TrainingFolder, runs: readonly summary.NamedRun[]): PageSection[] {
  const warmups = [a, b].map(({ header }) => warmupOf(header['config']));
  // A band belongs to both runs or to none.
  const warmup = warmups[0] === warmups[1] ? (warmups[0] ?? null) : null;
  const sections = {
    Loss: [...summary.lossPlots(runs), summary.lossByTime(runs)],
    Validation: summary.validationPlots(runs),
    'Learning rate': summary.learningRatePlots(runs, warmup),
  };
  return Object.entries(sections).flatMap(([title, plots]) =>
    plots.length === 0 ? [] : [{ title, notes: [], table: null, plots }],
  );
}

function warmupOf(config: unknown): number | null {
  const { success, data } = WITH_WARMUP.safeParse(config);
  return success ? data.training.schedule.warmupUpdates : null;
}

const WITH_WARMUP = z.object({ training: z.object({ schedule: z.object({ warmupUpdates: z.number() }) }) });
