/**
 * `extends: 'other.json5'` names a file next to this one whose values hold where this one has none; of a list of files
 * each replaces values of those before it. Objects are merged key by key; anything else, lists too, is replaced.
 */
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../../errors.js';
import { readJson5 } from '../../io/json/json-file.js';
import { EDITOR_KEY, list, object, readAs, text, without } from '../../schema.js';

type Json = Record<string, unknown>;

/** Keys of a file that are gone when it has been read: what it extends, and the JSON schema for editors. */
export const FILE_SCHEMA = object({
  ...EDITOR_KEY,
  extends: z
    .union([text(), list(text())], { error: 'a text or a list of texts' })
    .describe('A file next to this one whose values hold wherever this one has none, or a list of them')
    .optional(),
});
/** A chain longer than this goes in a circle, or nobody can follow it. */
const LONGEST_CHAIN = 8;

/** @throws UserError naming the file that is missing, malformed or extended in a circle */
export function readExtended(path: string, depth = 1): Json {
  const { extends: base, ...rest } = readAs(FILE_SCHEMA.loose(), readJson5(path, 'the configuration'), path);
  const own = without(rest, '$schema');
  if (base === undefined) return own;
  const files = typeof base === 'string' ? [base] : base;
  if (depth === LONGEST_CHAIN) {
    throw new UserError(`${path}: "extends" leads in a circle: ${LONGEST_CHAIN} files extend each other already.`);
  }
  const bases = files.map((file) => readExtended(join(dirname(path), file), depth + 1));
  return [...bases, own].reduce(merged);
}

/** The values of `own`, completed by those of `base`. */
export function merged(base: Json, own: Json): Json {
  const out = { ...base };
  for (const [key, value] of Object.entries(own)) {
    const before = base[key];
    out[key] = isObject(before) && isObject(value) ? merged(before, value) : value;
  }
  return out;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
