/** A finished or interrupted training, as its folder keeps it: its configuration and its course. */
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../errors.js';
import { readRunLog, type RunHistory, type TrainingEnd } from '../training/watching/run-log.js';

export interface TrainingFolder {
  readonly path: string;
  readonly history: RunHistory;
  /** Header of the run, or of its last continuation. */
  readonly header: Readonly<Record<string, unknown>>;
  /** Null where the run was killed, or is still going on. */
  readonly end: TrainingEnd | null;
}

const LOG = 'log.jsonl';

/** The kind of run at a path of `report compare`: the folder of a training (or its log), or a file of records. */
export function kindOfRun(path: string): 'training' | 'records' {
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

/** @throws UserError where the log cannot be read or holds no update */
export function readTrainingFolder(path: string): TrainingFolder {
  const folder = basename(path) === LOG ? dirname(path) : path;
  const history = readRunLog(join(folder, LOG));
  if (history.updates.length === 0) {
    throw new UserError(`Comparing: ${join(folder, LOG)} has no update yet; there is nothing to compare.`);
  }
  const resumed = history.records.findLast((record) => record.type === 'resume');
  const last = history.records.at(-1);
  const header = resumed?.['config'] === undefined ? history.header : { ...resumed };
  return { path: folder, history, header, end: last?.type === 'end' ? last : null };
}
