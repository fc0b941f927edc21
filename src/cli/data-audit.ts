/** What `gsva data check` and `gsva data stats` have in common: looking through datasets, with progress. */
import { type DatasetReport, auditDatasets } from '../data/audit/audit-datasets.js';
import { CATALOGUE } from '../data/catalogue/catalogue.js';
import type { CatalogueEntry, Figures } from '../data/catalogue/entry.js';
import { UserError } from '../errors.js';
import { didYouMean } from '../nearest-name.js';
import type { ProgressBar } from './progress.js';
import { requireFolder } from './values.js';
import type { VerbContext } from './verb.js';

/** Milliseconds. */
const SHOW_AFTER = 1000;

export interface AuditRequest {
  readonly folder: string;
  /** Names; none for all. */
  readonly sets: readonly string[];
}

/** @throws UserError where there is no such folder or dataset */
export async function audit(
  { folder, sets }: AuditRequest,
  isThorough: boolean,
  context: VerbContext,
): Promise<DatasetReport[]> {
  requireFolder('<folder>', folder);
  const entries = sets.length === 0 ? CATALOGUE : [...new Set(sets)].map(entryNamed);
  let bar: ProgressBar | null = null;
  let title = '';
  let startedAt = 0;
  const stop = (): void => {
    bar?.stop();
    bar = null;
  };
  const onDataset = (entry: CatalogueEntry): void => {
    context.signal.throwIfAborted();
    stop();
    title = entry.title;
    context.note(`reading ${title} ...`);
    startedAt = performance.now();
  };
  let last = 0;
  const onImages = (done: number, total: number): void => {
    context.signal.throwIfAborted();
    // Every split is a list of its own.
    if (done <= last) stop();
    last = done;
    // Of what is soon done, nobody wants to see the progress.
    if (performance.now() - startedAt > SHOW_AFTER) bar ??= context.startProgress(title, total);
    bar?.update(done);
  };
  return auditDatasets(folder, entries, { isThorough, onDataset, onImages }).finally(stop);
}

function entryNamed(name: string): CatalogueEntry {
  const entry = CATALOGUE.find((known) => known.name === name);
  if (entry !== undefined) return entry;
  const names = CATALOGUE.map((known) => known.name);
  throw new UserError(`There is no data set "${name}"${didYouMean(name, names)}; known are ${names.join(', ')}.`);
}

/** "16,994". */
export function amount(count: number): string {
  return count.toLocaleString('en-US');
}

/** What was found, beside what is published where that is known. */
export function beside(found: number | undefined, published: number | undefined): string {
  if (found === undefined) return published === undefined ? '' : `– (${amount(published)})`;
  return published === undefined ? amount(found) : `${amount(found)} (${amount(published)})`;
}

/** Splits in the order of the files, then those that are published but not there. */
export function splitNames({ figures, entry }: DatasetReport): string[] {
  return [...new Set([...Object.keys(figures?.splits ?? {}), ...Object.keys(entry.published.splits)])];
}

/** All splits together; images of two splits count once. */
export function totalFigures({ figures }: DatasetReport): Figures {
  const total: Record<string, number> = {};
  for (const split of Object.values(figures?.splits ?? {})) {
    for (const [name, count] of Object.entries(split) as [string, number][]) total[name] = (total[name] ?? 0) + count;
  }
  return figures === null ? total : { ...total, images: figures.images };
}
