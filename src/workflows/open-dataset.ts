/** A dataset to measure on: a published one in its folder, or a file of own data. */
import { statSync } from 'node:fs';
import { type BenchmarkName, isAskedAsWritten } from '../evaluation/benchmarks/benchmarks.js';
import { openEvaluatedSet, splitsOf, usualSplit } from '../data/dataset-registry.js';
import type { EvaluatedDataset } from '../data/refer/refer-dataset.js';
import { OWN_SPLITS } from '../data/own/own-data-line.js';
import { openOwnData } from '../data/own/own-data.js';
import { UsageError, UserError } from '../errors.js';
import { didYouMean } from '../nearest-name.js';

export interface DatasetChoice {
  /** Folder of the dataset, or a file of own data (JSON lines). */
  readonly data: string;
  /** As the registry names it; default: 'grefcoco', or 'own' where `data` is a file. */
  readonly dataset?: string;
  /** Default: val, of Ref-ZOM test, of ADE20K validation. */
  readonly split?: string;
  /** ReasonSeg: leave ignored regions out; default: as the system's published evaluation, GSVA's counts them as target. */
  readonly honourIgnore?: boolean | undefined;
}

/** @throws UsageError for a published set in a file, and for a split that a published set does not have */
export function chosenSet({ data, dataset, split }: DatasetChoice): Required<Pick<DatasetChoice, 'dataset' | 'split'>> {
  if (isFile(data)) {
    if (dataset === undefined || dataset === 'own') return { dataset: 'own', split: split ?? 'val' };
    throw new UsageError(`--dataset ${dataset} is in a folder, and ${data} is a file of your own: leave --dataset out`);
  }
  const name = dataset ?? 'grefcoco';
  const known: readonly string[] = splitsOf(name);
  if (split === undefined || known.includes(split)) return { dataset: name, split: split ?? usualSplit(name) };
  throw new UsageError(
    `--split must be one of ${known.join(', ')}, not ${JSON.stringify(split)}${didYouMean(split, known)}`,
  );
}

/**
 * @param benchmark by which it is measured
 * @throws UserError where it cannot be read, or has nothing of the split
 */
export async function openDataset(choice: DatasetChoice, benchmark: BenchmarkName): Promise<EvaluatedDataset> {
  const { dataset, split } = chosenSet(choice);
  const { data, honourIgnore = false } = choice;
  const asWritten = isAskedAsWritten(benchmark);
  if (dataset !== 'own') return openEvaluatedSet(dataset, data, split, { honourIgnore, asWritten });
  const known = OWN_SPLITS.find((name) => name === split);
  if (known !== undefined) return openOwnData(data, known);
  throw new UserError(`${data} has no split "${split}"; own data is divided into train, val and test.`);
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
