/** Two evaluations over the same expressions, or two trainings, compared: sections of figures, and a page of them. */
import { UserError } from '../errors.js';
import {
  compareRuns,
  settingDifferences,
  type CompareOptions as Resampling,
  recordsSection,
  settingWords,
} from '../evaluation/compare.js';
import { readWholeRun } from '../evaluation/records/record-file.js';
import { type PageSection, writeTablePage } from '../evaluation/report/write-report.js';
import { compareTrainings, configSection, courseSection, figureSection, trainingPage } from './compare-trainings.js';
import { kindOfRun, readTrainingFolder } from './training-folder.js';

export interface CompareOptions extends Resampling {
  /** Records of an evaluation, or the folder of a training; differences are b − a. */
  readonly a: string;
  readonly b: string;
  /** Folder for the page. */
  readonly out?: string;
}

export interface CompareResult {
  /** Tables with their notes, as the page has them. */
  readonly sections: readonly PageSection[];
  /** Comparison in words. */
  readonly notes: readonly string[];
  /** The same as plain data. */
  readonly facts: object;
  /** The page; null without one. */
  readonly report: string | null;
}

/** @throws UserError where the two are of different kinds, or cannot be compared */
export function compare(options: CompareOptions): CompareResult {
  const { a, b } = options;
  const [kindA, kindB] = [kindOfRun(a), kindOfRun(b)];
  if (kindA !== kindB) {
    const words = { training: 'the folder of a training', records: 'a file of records' } as const;
    throw new UserError(
      `Comparing: ${a} is ${words[kindA]}, ${b} is ${words[kindB]}. Name the folders of two trainings, or the records of ` +
        'two evaluations (the records of each).',
    );
  }
  return kindA === 'training' ? trainings(options) : records(options);
}

function trainings({ a, b, out }: CompareOptions): CompareResult {
  const [first, second] = [readTrainingFolder(a), readTrainingFolder(b)];
  const facts = compareTrainings(first, second);
  const sections = [configSection(facts), courseSection(facts), figureSection(facts)];
  const report = out === undefined ? null : writeTablePage(out, trainingPage(facts, first, second), facts);
  return { sections, notes: [`a ${a}, b ${b}`], facts, report };
}

const INTERVAL_NOTE =
  'The interval covers the choice of images: how far a difference may be chance. It does not cover other seeds of ' +
  'training.';

function records({ a, b, out, resamples, seed }: CompareOptions): CompareResult {
  const runs = [readWholeRun(a), readWholeRun(b)] as const;
  const comparisons = compareRuns(...runs, { resamples, seed });
  const settings = settingDifferences(...runs);
  const sections = comparisons.map(recordsSection);
  const notes = [
    `a ${a}, b ${b}; paired bootstrap over images, ${resamples} resamples, seed ${seed}`,
    ...(settings.length === 0 ? [] : [`measured differently: ${settings.map(settingWords).join(', ')}`]),
  ];
  const facts = { a, b, resamples, seed, settings, comparisons };
  const title = 'Two evaluations over the same expressions';
  const page = { title, notes: [...notes, INTERVAL_NOTE], sections };
  return { sections, notes, facts, report: out === undefined ? null : writeTablePage(out, page, facts) };
}
