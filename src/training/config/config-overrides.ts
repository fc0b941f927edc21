/** `--set key=value`: keys of a configuration replaced by dotted paths. A path that leads nowhere names the nearest one. */
import { UserError } from '../../errors.js';
import { nearestName } from '../../nearest-name.js';

type Json = Record<string, unknown>;

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
  for (const [key, value] of overrides) replace(json, key, value, source, paths);
}

function replace(json: Json, key: string, value: unknown, source: string, paths: readonly string[]): void {
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

/** `; did you mean "training.batchSize"?`: a path with this end, else the one that is spelt most alike. */
function hint(key: string, paths: readonly string[]): string {
  const meant = paths.find((path) => path.endsWith(`.${key}`)) ?? nearestName(key, paths);
  return meant === null ? '' : `; did you mean "${meant}"?`;
}

function own(json: Json, key: string): unknown {
  return Object.hasOwn(json, key) ? (json[key] ?? null) : null;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
