/** The work behind `gsva report compare`: two files of records, or the folders of two trainings. */
import { UserError } from '../errors.js';
import {
  type CompareOptions,
  type Comparison,
  type FigureDifference,
  type SettingDifference,
  compareRuns,
  settingDifferences,
} from '../evaluation/compare.js';
import { metricTitle } from '../evaluation/figures.js';
import { readWholeRun } from '../evaluation/records/record-file.js';
import { type PageSection, type TablePage, writeTablePage } from '../evaluation/report/table-page.js';
import { compareTrainings, configSection, courseSection, figureSection, trainingPage } from './compare-trainings.js';
import type { Output } from './output.js';
import { kindOfRun, readTrainingFolder } from './training-folder.js';
import type { VerbContext } from './verb.js';

export interface CompareRequest extends CompareOptions {
  readonly a: string;
  readonly b: string;
  /** Folder for the page; null for none. */
  readonly out: string | null;
}

/** @returns the exit code */
export function runReportCompare(request: CompareRequest, { output }: VerbContext): number {
  const { a, b } = request;
  const [kindA, kindB] = [kindOfRun(a), kindOfRun(b)];
  if (kindA !== kindB) {
    const words = { training: 'the folder of a training', records: 'a file of records' } as const;
    throw new UserError(
      `Comparing: ${a} is ${words[kindA]}, ${b} is ${words[kindB]}. Name the folders of two trainings, or the records of ` +
        'two evaluations (the records of each).',
    );
  }
  return kindA === 'training' ? trainings(request, output) : records(request, output);
}

function trainings({ a, b, out }: CompareRequest, output: Output): number {
  const [first, second] = [readTrainingFolder(a), readTrainingFolder(b)];
  const comparison = compareTrainings(first, second);
  output.line(`a ${a}, b ${b}`);
  for (const section of [configSection(comparison), courseSection(comparison), figureSection(comparison)]) {
    output.line();
    print(section, output);
  }
  const page = out === null ? null : writeTablePage(out, trainingPage(comparison, first, second), comparison);
  if (page !== null) output.line(page);
  output.json({ ...comparison, ...(page === null ? {} : { report: page }) });
  return 0;
}

function records({ a, b, out, resamples, seed }: CompareRequest, output: Output): number {
  const options = { resamples, seed };
  const runs = [readWholeRun(a), readWholeRun(b)] as const;
  const comparisons = compareRuns(...runs, options);
  const settings = settingDifferences(...runs);
  const sections = comparisons.map(recordsSection);
  for (const section of sections) print(section, output);
  const note = `a ${a}, b ${b}; paired bootstrap over images, ${resamples} resamples, seed ${seed}`;
  output.line(note);
  const measured = settings.length === 0 ? [] : [`measured differently: ${settings.map(settingWords).join(', ')}`];
  for (const line of measured) output.line(line);
  const page: TablePage = {
    title: 'Two evaluations over the same expressions',
    notes: [note, ...measured, INTERVAL_NOTE],
    sections,
  };
  const path = out === null ? null : writeTablePage(out, page, { a, b, ...options, settings, comparisons });
  if (path !== null) output.line(path);
  output.json({ a, b, ...options, settings, comparisons, ...(path === null ? {} : { report: path }) });
  return 0;
}

const INTERVAL_NOTE =
  'The interval says how far a difference may be chance of the choice of images; it says nothing of other seeds of ' +
  'training.';

/** As options of `gsva eval`. */
function settingWords({ setting, a, b }: SettingDifference): string {
  const option = { question: '--question', rejectThreshold: '--reject-threshold', minimumPixels: '--minimum-pixels' };
  const [inA, inB] = [a, b].map((value) => (value === null ? 'none' : String(value)));
  return `${option[setting]} ${inA} in a, ${inB} in b`;
}

function recordsSection({ protocol, images, expressions, figures }: Comparison): PageSection {
  return {
    title: `${protocol}: ${images} images, ${expressions} expressions`,
    notes: [],
    table: { head: ['', 'a', 'b', 'b − a', '95 % interval'], rows: figures.map(differenceRow), left: 1 },
    plots: [],
  };
}

function print({ title, table, notes }: PageSection, output: Output): void {
  output.line(title);
  if (table !== null) output.table(table.head, table.rows);
  for (const note of notes) output.line(note);
}

function differenceRow({ figure, a, b, difference, interval }: FigureDifference): string[] {
  const plain = (value: number | null): string => (value === null ? '–' : value.toFixed(4));
  const between = interval === null ? '–' : interval.map(signed).join(' to ');
  return [metricTitle(figure), plain(a), plain(b), difference === null ? '–' : signed(difference), between];
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;
}
