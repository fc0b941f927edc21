/** `--set key=value`: keys of a configuration replaced by dotted paths. A path that leads nowhere names the nearest one. */
import { UserError } from '../../errors.js';
import { nearestName } from '../../nearest-name.js';

type Json = Record<string, unknown>;

/** Objects that a configuration may leave out, so that a key of theirs can be set all the same. */
const OPTIONAL_SECTIONS = [
  'model',
  ...['clip', 'llm', 'sam', 'lora', 'tokens', 'loss'].map((section) => `model.${section}`),
  'variant',
  'data.validation',
  'data.weights',
  'training.bestMetric',
  'training.optimizer.learningRateMultipliers',
];

/**
 * Replaces the keys in place, in order. Whether a key is one that is known is for the reader of the configuration to say;
 * here it must have a place to be put, and not be the last part of another key.
 * @throws UserError naming the file, the key, and what was meant as far as that can be told
 */
export function applyOverrides(json: Json, overrides: readonly (readonly [string, unknown])[], source: string): void {
  for (const [key, value] of overrides) replace(json, key, value, source);
}

function replace(json: Json, key: string, value: unknown, source: string): void {
  const steps = key.split('.');
  const last = steps.pop() ?? '';
  let place = json;
  for (const [i, step] of steps.entries()) {
    const path = steps.slice(0, i + 1).join('.');
    const found = own(place, step) ?? (OPTIONAL_SECTIONS.includes(path) ? {} : null);
    if (!isObject(found)) {
      const what = found === null ? `there is no "${path}"` : `"${path}" is ${JSON.stringify(found).slice(0, 80)}`;
      throw new UserError(`${source}: "${key}" cannot be set: ${what}, expected an object${hint(json, key)}.`);
    }
    place[step] = found;
    place = found;
  }
  if (own(place, last) === null && endsOfPaths(json, key).length > 0) {
    throw new UserError(`${source}: unknown key "${key}"${hint(json, key)}.`);
  }
  place[last] = value;
}

/** `; did you mean "training.batchSize"?`: a path with this end, else the one that is spelt most alike. */
function hint(json: Json, key: string): string {
  const [ending] = endsOfPaths(json, key);
  const meant = ending ?? nearestName(key, pathsOf(json));
  return meant === null ? '' : `; did you mean "${meant}"?`;
}

function endsOfPaths(json: Json, key: string): string[] {
  return key === '' ? [] : pathsOf(json).filter((path) => path.endsWith(`.${key}`));
}

/** Every dotted path of the configuration, objects before what is in them. */
function pathsOf(json: Json, prefix = ''): string[] {
  return Object.entries(json).flatMap(([name, value]) => {
    const path = `${prefix}${name}`;
    return isObject(value) ? [path, ...pathsOf(value, `${path}.`)] : [path];
  });
}

function own(json: Json, key: string): unknown {
  return Object.hasOwn(json, key) ? (json[key] ?? null) : null;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
