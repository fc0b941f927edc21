/** What `--data` names: a folder in gRefCOCO's layout, or a file of one's own data. */
import { existsSync, statSync } from 'node:fs';
import { GRefCoco } from '../data/refer/grefcoco.js';
import { OwnData } from '../data/own/own-data.js';
import { UserError } from '../errors.js';
import type { GresDataset } from '../evaluation/gres.js';

export const EVALUATED_SPLITS = ['train', 'val', 'testA', 'testB', 'test'] as const;
export type EvaluatedSplit = (typeof EVALUATED_SPLITS)[number];

/** @throws UserError where it cannot be read, or has nothing of the split */
export async function openDataset(data: string, split: EvaluatedSplit): Promise<GresDataset> {
  const isOwn = isFile(data);
  if (isOwn && split !== 'testA' && split !== 'testB') return OwnData.open(data, split);
  if (!isOwn && split !== 'test') return GRefCoco.open(data, split);
  const splits = isOwn ? 'train, val and test' : 'train, val, testA and testB';
  throw new UserError(`${data} has no split "${split}"; ${isOwn ? 'own data' : 'gRefCOCO'} is divided into ${splits}.`);
}

/** Refuses a path at which there is nothing. */
export function requireData(path: string): void {
  if (!existsSync(path))
    throw new UserError(`${path}: no such folder, and no such file of own data; --data takes an existing one`);
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
