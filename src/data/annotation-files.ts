/**
 * Reading the JSON files and pickles of datasets: every value that is used is checked, and a message says where it
 * stands. Values are looked at where they lie and not copied: a pickle's may contain themselves, or one another many
 * times.
 */
import { isUtf8 } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import { UserError, messageOf } from '../errors.js';
import { readJsonList, readJsonLists, type TakeRecord } from '../io/json/json-records.js';
import { notUtf8 } from '../io/text-encoding.js';
import { PLAIN_GLOBALS, PickleTuple, type PickleValue, describePickled, unpickle } from '../io/torch/pickle.js';
import type { Size } from './image/size-mismatch.js';
import { MAX_PIXELS } from './masks/coco-mask.js';

/** Node's longest string: JSON beyond it is read record by record (readRecords) or not at all. */
const MAX_JSON_BYTES = 512 * 1024 * 1024 - 1;
/** The published annotation pickles have up to 50 MB, and take about ten times as much when read. */
const MAX_PICKLE_BYTES = 256 * 1024 * 1024;
const [CARRIAGE_RETURN, LINE_FEED] = [0x0d, 0x0a];
const MAX_PICKLE_MEMORY = 1024 * 1024 * 1024;

/** Parses a JSON file of the dataset `name`; `advice` ends the message where it cannot be read. */
export function readJsonFile(name: string, path: string, advice: string): unknown {
  return reading(name, path, advice, () => {
    const bytes = readBytes(path, MAX_JSON_BYTES);
    if (!isUtf8(bytes)) throw new Error(notUtf8(bytes, path));
    return JSON.parse(bytes.toString('utf8').replace(/^\ufeff/, '')) as unknown;
  });
}

/** Takes each record of a list, in the order of the file. */
export type TakePlace = (record: JsonPlace, index: number) => void;

/**
 * Reads the records of a file that is one list: JSON of any size, or a pickle (.p).
 * @throws UserError where it cannot be read, and what `take` throws
 */
export function readRecords(name: string, path: string, advice: string, take: TakePlace): void {
  if (path.endsWith('.p')) {
    const records = new JsonPlace(readPickleFile(name, path, advice), name, path).list();
    for (const [index, record] of records.entries()) take(record, index);
  } else reading(name, path, advice, () => readJsonList(path, placed(new JsonPlace(null, name, path), take)));
}

/**
 * Reads the records of several lists of a JSON file, by their keys; other keys are passed over. The file may be of any
 * size.
 * @throws UserError where it cannot be read or lacks one of the lists, and what the takers throw
 */
export function readJsonRecordLists(
  name: string,
  path: string,
  advice: string,
  takers: Readonly<Record<string, TakePlace>>,
): void {
  const root = new JsonPlace(null, name, path);
  const placedTakers = Object.fromEntries(
    Object.entries(takers).map(([key, take]) => [key, placed(root.at(null, `.${key}`), take)]),
  );
  const keys = reading(name, path, advice, () => readJsonLists(path, placedTakers));
  const missing = Object.keys(takers).find((key) => !keys.includes(key));
  if (missing === undefined) return;
  throw new UserError(
    `Reading ${name}: the top level of ${path} is an object with ${keys.slice(0, 6).join(', ') || 'no keys'}; ` +
      `expected one with the key "${missing}". ${advice}`,
  );
}

function placed(list: JsonPlace, take: TakePlace): TakeRecord {
  return (value, index) => {
    take(list.at(value, index), index);
  };
}

/** Says of an error which file it is about, unless it says so itself. */
function reading<T>(name: string, path: string, advice: string, read: () => T, kind = 'JSON'): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`Reading ${name}: ${path} cannot be read as ${kind} (${messageOf(error)}). ${advice}`);
  }
}

function readBytes(path: string, most: number): Buffer {
  const { size } = statSync(path);
  if (size > most) throw new Error(`it has ${size} bytes, more than ${most}`);
  return readFileSync(path);
}

/** Reads a pickle of plain values (no code is run) of the dataset `name`. */
function readPickleFile(name: string, path: string, advice: string): PickleValue {
  const doing = `Reading ${name}: ${path} cannot be read as a pickle`;
  const bytes = reading(name, path, advice, () => readBytes(path, MAX_PICKLE_BYTES), 'a pickle');
  if (hasWindowsLineEnds(bytes)) {
    throw new UserError(
      `${doing}: its line ends were converted from LF to CR LF (git, FTP or an editor took it for a text). Undo it with: ` +
        `perl -pi -e 's/\\r\\n/\\n/' '${path}'`,
    );
  }
  const { value, end } = unpickle(bytes, { source: path, globals: PLAIN_GLOBALS, memory: MAX_PICKLE_MEMORY });
  if (end === bytes.length) return value;
  throw new UserError(`${doing} (${bytes.length - end} bytes follow its end). ${advice}`);
}

/** Whether every line end of a pickle has a carriage return in front: those of Python 2 are texts of many lines. */
function hasWindowsLineEnds(bytes: Buffer): boolean {
  const first = bytes.indexOf(LINE_FEED);
  if (first < 1) return false;
  for (let at = first; at >= 0; at = bytes.indexOf(LINE_FEED, at + 1))
    if (bytes[at - 1] !== CARRIAGE_RETURN) return false;
  return true;
}

/** A value within a JSON file, or a pickle, that knows where it stands. */
export class JsonPlace {
  constructor(
    readonly value: unknown,
    private readonly name: string,
    private readonly file: string,
    private readonly parent: JsonPlace | null = null,
    /** ".key", or a position: most are never asked for, so no text is made of it before. */
    private readonly step: string | number = '',
  ) {}

  /** A value within this one, or read by itself. @param step ".key" or a position */
  at(value: unknown, step: string | number): JsonPlace {
    return new JsonPlace(value, this.name, this.file, this, step);
  }

  /** The value under a key of an object (in a pickle: a dict). */
  key(key: string): JsonPlace {
    const found = valueUnder(this.value, key);
    if (found === undefined) throw this.wrong(`an object with the key "${key}"`);
    return this.at(found, `.${key}`);
  }

  /** Keys and values of an object. */
  entries(): [string, JsonPlace][] {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.wrong('an object');
    return Object.keys(value).map((key) => [key, this.key(key)]);
  }

  isList(): boolean {
    return Array.isArray(this.value) || this.value instanceof PickleTuple;
  }

  list(): JsonPlace[] {
    const items = this.value instanceof PickleTuple ? this.value.items : this.value;
    if (!Array.isArray(items)) throw this.wrong('a list');
    return items.map((item: unknown, i) => this.at(item, i));
  }

  text(): string {
    if (typeof this.value !== 'string') throw this.wrong('a text');
    return this.value;
  }

  /** A whole number. */
  integer(): number {
    if (typeof this.value !== 'number' || !Number.isInteger(this.value)) throw this.wrong('a whole number');
    return this.value;
  }

  boolean(): boolean {
    if (typeof this.value !== 'boolean') throw this.wrong('true or false');
    return this.value;
  }

  /** Any finite number. */
  number(): number {
    if (typeof this.value !== 'number') throw this.wrong('a number');
    return this.value;
  }

  /** A file's name, which is joined to a folder that it must not lead out of. @param isBare whether it has no folders */
  fileName(isBare = false): string {
    const name = this.text();
    const isInside = name.split('/').every((step) => step !== '' && step !== '.' && step !== '..');
    if (isInside && !/[\\\0]/.test(name) && !(isBare && name.includes('/'))) return name;
    throw this.wrong(
      `a file name${isBare ? ' without a folder' : ', which may stand in folders but not lead out of them'}`,
    );
  }

  /** Height and width in an image's record, in pixels. */
  size(): Size {
    const [height, width] = [this.key('height').integer(), this.key('width').integer()];
    if (height > 0 && width > 0 && height * width <= MAX_PIXELS) return { height, width };
    throw this.wrong(`a positive height and width of at most ${MAX_PIXELS} pixels together`);
  }

  /** The error that says what stands here instead of `expected`. */
  wrong(expected: string): UserError {
    return new UserError(
      `Reading ${this.name}: ${this.path() || 'the top level'} of ${this.file} is ${describe(this.value)}; ` +
        `expected ${expected}. Correct it or use the published file.`,
    );
  }

  private path(): string {
    const step = typeof this.step === 'number' ? `[${this.step}]` : this.step;
    const path = (this.parent?.path() ?? '') + step;
    return this.parent?.parent === null ? path.replace(/^\./, '') : path;
  }
}

/** undefined where there is no such key. */
function valueUnder(value: unknown, key: string): unknown {
  if (value instanceof Map) return value.get(key);
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isPlainObject(value)) return `an object with ${Object.keys(value).slice(0, 6).join(', ') || 'no keys'}`;
  if (typeof value === 'object' && value !== null) return describePickled(value as PickleValue);
  if (typeof value === 'bigint') return String(value).slice(0, 60);
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 60);
}

/** An object of JSON; dicts and other values of a pickle are of classes. */
function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
