/** A finished or interrupted training, as its folder keeps it: what it was configured to be and what became of it. */
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../errors.js';
import { readRunLog, type RunHistory, type TrainingEnd } from '../training/watching/run-log.js';

export interface TrainingFolder {
  readonly path: string;
  readonly history: RunHistory;
  /** Of the run, or of its last continuation. */
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

export interface ConfigDifference {
  /** "training.schedule.learningRate" */
  readonly key: string;
  /** As JSON; null where the key is absent. */
  readonly a: string | null;
  readonly b: string | null;
}

/** The keys in which two configurations differ, in the order of the first; and how many agree. */
export function configDifferences(
  a: unknown,
  b: unknown,
): { readonly differ: ConfigDifference[]; readonly same: number } {
  const [inA, inB] = [flattened(a), flattened(b)];
  const keys = [...new Set([...inA.keys(), ...inB.keys()])];
  const differ = keys
    .map((key) => ({ key, a: inA.get(key) ?? null, b: inB.get(key) ?? null }))
    .filter((each) => each.a !== each.b);
  return { differ, same: keys.length - differ.length };
}

/** Keys that are named of a change; the others are counted. */
const NAMED_KEYS = 6;

/** "at update 12: training.batchSize 2 → 16" for each resume that changed the configuration; '' where none did. */
export function configChanges({ header, records }: Pick<RunHistory, 'header' | 'records'>): string {
  let before: unknown = header['config'];
  const changes: string[] = [];
  for (const record of records) {
    if (record.type !== 'resume' || record['config'] === undefined) continue;
    const { differ } = configDifferences(before, record['config']);
    before = record['config'];
    if (differ.length === 0) continue;
    const named = differ.slice(0, NAMED_KEYS).map(({ key, a, b }) => `${key} ${a ?? 'absent'} → ${b ?? 'absent'}`);
    const more = differ.length > NAMED_KEYS ? [`${differ.length - NAMED_KEYS} more keys`] : [];
    changes.push(`at update ${record.update}: ${[...named, ...more].join(', ')}`);
  }
  return changes.join('; ');
}

/** Leaves by path, as JSON; a list is a leaf, since its places have no names. */
function flattened(value: unknown, path = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return path === '' ? new Map<string, string>() : new Map([[path, JSON.stringify(value)]]);
  }
  const entries = Object.entries(value);
  if (entries.length === 0 && path !== '') return new Map([[path, '{}']]);
  return new Map(entries.flatMap(([key, inner]) => [...flattened(inner, path === '' ? key : `${path}.${key}`)]));
}
