/** Configuration files as `extends` puts them together, and `--set key=value` by dotted paths. */
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../../errors.js';
import { readJson5 } from '../../io/json/json-file.js';
import { nearestName } from '../../nearest-name.js';
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

/**
 * A file's values, completed by those of the files that it `extends`, of which each replaces values of those before it.
 * @throws UserError naming the file that is missing, malformed or extended in a circle
 */
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

/** Objects merged key by key; anything else in `own`, lists too, replaces what `base` has. */
export function merged(base: Json, own: Json): Json {
  const out = { ...base };
  for (const [key, value] of Object.entries(own)) {
    const before = base[key];
    out[key] = isObject(before) && isObject(value) ? merged(before, value) : value;
  }
  return out;
}

/**
 * Replaces keys in place, in order.
 * @param paths all known dotted paths: along these, missing objects are made @throws UserError naming the file, the
 * key, and what was probably meant
 */
export function applyOverrides(
  json: Json,
  overrides: readonly (readonly [string, unknown])[],
  source: string,
  paths: readonly string[],
): void {
  for (const [key, value] of overrides) {
    const steps = key.split('.');
    const last = steps.pop() ?? '';
    let place = json;
    for (const [i, step] of steps.entries()) {
      const path = steps.slice(0, i + 1).join('.');
      const found = own(place, step) ?? (paths.includes(path) ? {} : null);
      if (!isObject(found)) {
        const what = found === null ? `there is no "${path}"` : `"${path}" is ${JSON.stringify(found).slice(0, 80)}`;
        throw new UserError(`${source}: "${key}" cannot be set: ${what}, expected an object${hint(key, paths)}.`);
      }
      place[step] = found;
      place = found;
    }
    const isLastPart = !paths.includes(key) && paths.some((path) => path.endsWith(`.${key}`));
    if (own(place, last) === null && isLastPart)
      throw new UserError(`${source}: unknown key "${key}"${hint(key, paths)}.`);
    place[last] = value;
  }
}

/** `; did you mean "training.batchSize"?`: a path with this end, else the one that is spelt most alike. */
function hint(key: string, paths: readonly string[]): string {
  const meant = paths.find((path) => path.endsWith(`.${key}`)) ?? nearestName(key, paths);
  return meant === null ? '' : `; did you mean "${meant}"?`;
}

function own(json: Json, key: string): unknown {
  return Object.hasOwn(json, key) ? (json[key] ?? null) : null;
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
