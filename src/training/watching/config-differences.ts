/** Keys in which configurations differ: of two runs, or of one run that was continued with another configuration. */
import type { RunHistory } from './run-log.js';

export interface ConfigDifference {
  /** "training.schedule.learningRate" */
  readonly key: string;
  /** As JSON; null where the key is absent. */
  readonly a: string | null;
  readonly b: string | null;
}

/** The keys in which two configurations differ, in the order of the first; and how many agree. */
export function configDifferences(a: unknown, b: unknown): { differ: ConfigDifference[]; same: number } {
  const [inA, inB] = [flattened(a), flattened(b)];
  const keys = [...new Set([...inA.keys(), ...inB.keys()])];
  const differ = keys
    .map((key) => ({ key, a: inA.get(key) ?? null, b: inB.get(key) ?? null }))
    .filter((each) => each.a !== each.b);
  return { differ, same: keys.length - differ.length };
}

/** Keys of a change that are named; the others are counted. */
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
