/**
 * The one way in which JSON from a file is checked: zod schemas made of these parts, read by `readAs`. A mistake is
 * reported with the file and the path of the key, as in `configs/tiny.json5: "training.batchSize" is "many", expected a
 * whole number of at least 1.` Objects are strict: a misspelt option is never ignored.
 */
import { z } from 'zod';
import { UserError } from './errors.js';
import { nearestName } from './nearest-name.js';

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** Values that a schema gives. */
export type Read<S extends z.ZodType> = DeepReadonly<z.output<S>>;

type Path = readonly PropertyKey[];

/** Bounds, both allowed themselves; `above` is not. */
export interface Bounds {
  readonly min?: number;
  readonly max?: number;
  readonly above?: number;
}

/** A finite number (JSON5 can hold Infinity and NaN). */
export function number(bounds: Bounds = {}): z.ZodNumber {
  return bounded(z.number({ error: expected('a number', bounds) }), 'a number', bounds);
}

export function integer(bounds: Bounds = {}): z.ZodNumber {
  return bounded(z.int({ error: expected('a whole number', bounds) }), 'a whole number', bounds);
}

function bounded(schema: z.ZodNumber, what: string, bounds: Bounds): z.ZodNumber {
  const { min = -Infinity, max = Infinity, above = -Infinity } = bounds;
  const error = expected(what, bounds);
  let out = schema;
  if (min > -Infinity) out = out.gte(min, { error });
  if (max < Infinity) out = out.lte(max, { error });
  return above > -Infinity ? out.gt(above, { error }) : out;
}

/** "a number from 0 to 1" */
export function expected(what: string, { min = -Infinity, max = Infinity, above = -Infinity }: Bounds): string {
  if (above > -Infinity) return `${what} above ${above}`;
  if (min > -Infinity && max < Infinity) return `${what} from ${min} to ${max}`;
  if (min > -Infinity) return `${what} of at least ${min}`;
  return max < Infinity ? `${what} of at most ${max}` : what;
}

export function text(): z.ZodString {
  return z.string({ error: 'a text' });
}

export function flag(): z.ZodBoolean {
  return z.boolean({ error: 'true or false' });
}

/** One of a few texts. */
export function oneOf<const T extends readonly string[]>(allowed: T): z.ZodEnum<{ [K in T[number]]: K }> {
  const error = `one of ${allowed.map((each) => `"${each}"`).join(', ')}`;
  return z.enum(allowed as unknown as string[], { error }) as unknown as z.ZodEnum<{ [K in T[number]]: K }>;
}

export function list<S extends z.ZodType>(item: S): z.ZodArray<S> {
  return z.array(item, { error: 'a list' });
}

/** An object whose keys are names of the file's own. */
export function record<S extends z.ZodType>(value: S): z.ZodRecord<z.ZodString, S> {
  return z.record(z.string(), value, { error: 'an object' });
}

/** An object with these keys and no others; `partial()` makes all of them optional. */
export function object<Shape extends z.core.$ZodLooseShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? nearestOf(issue, Object.keys(shape)) : 'an object'),
  });
}

/** `; did you mean "training.batchSize"?` to a key that is not known. */
function nearestOf({ keys, path = [] }: { readonly keys: string[]; readonly path?: Path }, known: string[]): string {
  const nearest = nearestName(keys[0] ?? '', known);
  return nearest === null ? `known are ${known.join(', ')}.` : `did you mean "${pathText([...path, nearest])}"?`;
}

/** Key of a file for editors, which nobody else reads. */
export const EDITOR_KEY = { $schema: text().describe('JSON schema of the file, for editors').optional() };

/** Refuses a value: the key below the checked one, as a dotted path or in steps, and what belongs there. */
export type Refuse = (key: string | Path, expected: string) => void;

/** For `superRefine`: what a schema cannot say by itself. */
export function alsoCheck<T>(check: (value: T, refuse: Refuse) => void) {
  return (value: T, context: z.core.$RefinementCtx<T>): void => {
    check(value, (key, message) => {
      const path = typeof key === 'string' ? key.split('.') : [...key];
      context.addIssue({ code: 'custom', path, message });
    });
  };
}

/**
 * Reads a value from a file.
 * @param source what errors name: the file's path
 * @param at where the value stands in the file
 * @throws UserError naming file, key, what was found and what was expected
 */
export function readAs<S extends z.ZodType>(schema: S, value: unknown, source: string, at: Path = []): Read<S> {
  const { data, error } = schema.safeParse(value);
  if (error === undefined) return data as Read<S>;
  const issues = error.issues.flatMap(withinUnion);
  // A misspelt key explains a missing one.
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
  if (issue === undefined) throw new Error('readAs: an error without issues');
  const path = pathText([...at, ...issue.path]);
  if (issue.code === 'unrecognized_keys') {
    const key = pathText([...at, ...issue.path, issue.keys[0] ?? '']);
    const hint = at.length === 0 ? issue.message : issue.message.replace('"', `"${pathText(at)}.`);
    throw new UserError(`${source}: unknown key "${key}"; ${hint}`);
  }
  const place = path === '' ? 'the whole file' : `"${path}"`;
  const found = valueAt(value, issue.path);
  const what = found === undefined ? 'missing' : shown(found);
  throw new UserError(`${source}: ${place} is ${what}, expected ${issue.message}.`);
}

/** In a union, the issues of the first alternative that the value seems to be: all of them lie inside the value. */
function withinUnion(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const meant = issue.errors.find((issues) => issues.length > 0 && issues.every(({ path }) => path.length > 0));
  return meant?.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })) ?? [issue];
}

/** JSON without the keys that are null: in a configuration null takes back what an extended file says. */
export function withoutNulls(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(withoutNulls);
  if (typeof json !== 'object' || json === null) return json;
  const entries = Object.entries(json).filter(([, value]) => value !== null);
  return Object.fromEntries(entries.map(([key, value]) => [key, withoutNulls(value)]));
}

/** Dotted paths of all keys that a schema knows, objects before what is in them. */
export function keyPaths(schema: z.core.$ZodType, prefix = ''): string[] {
  if (schema instanceof z.ZodObject) {
    return Object.entries(schema.shape).flatMap(([key, value]) => {
      return [`${prefix}${key}`, ...keyPaths(value as z.core.$ZodType, `${prefix}${key}.`)];
    });
  }
  if (schema instanceof z.ZodDiscriminatedUnion) return schema.options.flatMap((option) => keyPaths(option, prefix));
  const isWrapped =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable;
  return isWrapped ? keyPaths(schema.unwrap(), prefix) : [];
}

/** An object without one of its keys. */
export function without<T extends object, K extends keyof T & string>(object: T, key: K): Omit<T, K> {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key)) as Omit<T, K>;
}

/** `training.schedule[2].name` */
function pathText(path: Path): string {
  return path.reduce<string>((before, step) => {
    if (typeof step === 'number') return `${before}[${step}]`;
    return before === '' ? String(step) : `${before}.${String(step)}`;
  }, '');
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((place, step) => {
    const isObject = typeof place === 'object' && place !== null && Object.hasOwn(place, step);
    return isObject ? (place as Record<PropertyKey, unknown>)[step] : undefined;
  }, value);
}

/** A value for an error message: short, and of large ones only the kind. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value);
  return String(value);
}
