/** Looking through datasets, with progress: shared by `gsva data check` and `gsva data stats`. */
import { auditDatasets } from '../data/audit/audit-datasets.js';
import { CATALOGUE } from '../data/catalogue/catalogue.js';
import type { CatalogueEntry } from '../data/catalogue/entry.js';
import { UserError } from '../errors.js';
import { didYouMean } from '../nearest-name.js';
import { requireFolder } from './options/values.js';
import type { CommandContext } from './command.js';

const SHOW_AFTER_MS = 1000;

/** @param sets names; none for all @throws UserError where there is no such folder or dataset */
export async function audit(folder: string, sets: readonly string[], isThorough: boolean, context: CommandContext) {
  requireFolder('<folder>', folder);
  const names = CATALOGUE.map(({ name }) => name);
  const entries = [...new Set(sets.length === 0 ? names : sets)].map((name) => {
    const entry = CATALOGUE.find((known) => known.name === name);
    if (entry !== undefined) return entry;
    throw new UserError(`There is no data set "${name}"${didYouMean(name, names)}; known are ${names.join(', ')}.`);
  });
  let title = '';
  let startedAt = 0;
  const onDataset = (entry: CatalogueEntry): void => {
    context.signal.throwIfAborted();
    title = entry.title;
    context.onNote(`reading ${title} ...`);
    startedAt = performance.now();
  };
  const onImages = (done: number, total: number): void => {
    context.signal.throwIfAborted();
    // Short work needs no bar.
    if (performance.now() - startedAt > SHOW_AFTER_MS) context.onProgress({ label: title, done, total });
  };
  return auditDatasets(folder, entries, { isThorough, onDataset, onImages });
}

export function amount(count: number): string {
  return count.toLocaleString('en-US');
}

/** A count, next to the published one where that is known. */
export function nextTo(found: number | undefined, published: number | undefined): string {
  if (found === undefined) return published === undefined ? '' : `– (${amount(published)})`;
  return published === undefined ? amount(found) : `${amount(found)} (${amount(published)})`;
}
