/** Two evaluations over the same expressions, or two trainings, compared: sections of figures, and a page of them. */
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../errors.js';
import { compareRuns, type CompareOptions as Resampling, settingDifferences } from '../evaluation/compare.js';
import { readWholeRun } from '../evaluation/records/record-file.js';
import { recordsSection, settingWords } from '../evaluation/compare.js';
import { writeTablePage } from '../evaluation/report/write-report.js';
import { compareTrainings, LOG } from './compare-trainings.js';

interface CompareOptions extends Resampling {
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
  const runs = [readWholeRun(a), readWholeRun(b)] as const;
  const comparisons = compareRuns(...runs, { resamples, seed });
  const settings = settingDifferences(...runs);
  const sections = comparisons.map(recordsSection);
  const notes = [
    `a ${a}, b ${b}; paired bootstrap over images, ${resamples} resamples, seed ${seed}`,
    ...(settings.length === 0 ? [] : [`measured differently: ${settings.map(settingWords).join(', ')}`]),
  ];
  const title = 'Two evaluations over the same expressions';
  const page = { title, notes: [...notes, INTERVAL_NOTE], sections };
  return { sections, notes, facts: { a, b, resamples, seed, settings, comparisons }, page };
}
