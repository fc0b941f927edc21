/**
 * Configurations that say only what differs: `extends: 'other.json5'` names a file beside this one, whose values hold
 * wherever this one has none; of a list of files each replaces what those before it say. Objects are put together key
 * by key; anything else, lists too, replaces what was there.
 */
import { dirname, join } from 'node:path';
import { readJson5 } from '../../io/json/json-file.js';
import { JsonReader } from '../../io/json/json-reader.js';

/** A chain longer than this goes in a circle, or nobody can follow it. */
const LONGEST_CHAIN = 8;

/** @throws UserError naming the file that is missing, malformed or extended in a circle */
export function readExtended(path: string, depth = 1): Record<string, unknown> {
  const reader = JsonReader.of(readJson5(path, 'the training configuration'), path);
  const base = reader.optional('extends');
  const own = { ...reader.object() };
  delete own['extends'];
  if (base === null) return own;
  if (depth === LONGEST_CHAIN) base.fail(`nothing: ${LONGEST_CHAIN} files extend each other already`);
  const files = Array.isArray(base.value) ? base.array() : [base];
  const bases = files.map((file) => readExtended(join(dirname(path), file.string()), depth + 1));
  return [...bases, own].reduce(merged);
}

/** What `own` says, and where it says nothing, what `base` says. */
export function merged(base: Record<string, unknown>, own: Record<string, unknown>): Record<string, unknown> {
  const out = { ...base };
  for (const [key, value] of Object.entries(own)) {
    const before = base[key];
    out[key] = isObject(before) && isObject(value) ? merged(before, value) : value;
  }
  return out;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
