/** What `--data` and `--dataset` name: a published set in its folder, or a file of one's own data. */
import { existsSync, statSync } from 'node:fs';
import type { EvaluatedDataset } from '../data/evaluated-dataset.js';
import { splitsOf } from '../data/dataset-registry.js';
import { openEvaluatedSet, usualSplit } from '../data/evaluated-sets.js';
import { OWN_SPLITS } from '../data/own/own-data-line.js';
import { OwnData } from '../data/own/own-data.js';
import { UserError } from '../errors.js';
import { oneOf } from './values.js';

export interface DatasetRequest {
  readonly data: string;
  /** By the registry's name; 'own' where `data` is a file. */
  readonly dataset: string;
  readonly split: string;
  /** ReasonSeg: leave ignored regions out. */
  readonly honourIgnore: boolean;
}

/** @throws UserError where it cannot be read, or has nothing of the split */
export async function openDataset({ data, dataset, split, honourIgnore }: DatasetRequest): Promise<EvaluatedDataset> {
  if (dataset !== 'own') return openEvaluatedSet(dataset, data, split, { honourIgnore });
  const known = OWN_SPLITS.find((name) => name === split);
  if (known !== undefined) return OwnData.open(data, known);
  throw new UserError(`${data} has no split "${split}"; own data is divided into train, val and test.`);
}

/**
 * The split that is measured: the usual one where none is named.
 * @throws UsageError where a published set has no such split
 */
export function splitOf(dataset: string, split: string | undefined): string {
  if (dataset === 'own') return split ?? 'val';
  return split === undefined ? usualSplit(dataset) : oneOf('split', splitsOf(dataset))(split);
}

/** Refuses a path at which there is nothing. */
export function requireData(path: string): void {
  if (!existsSync(path))
    throw new UserError(`${path}: no such folder, and no such file of own data; --data takes an existing one`);
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
