/** Figures of a dataset's report over all splits. */
import type { Figures } from '../catalogue/entry.js';
import type { DatasetReport } from './audit-datasets.js';

/** Splits in the order of the files, then those that are published but absent. */
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
