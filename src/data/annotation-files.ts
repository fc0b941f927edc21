/**
 * Reading the JSON files and pickles of datasets: every value that is used is checked, and a message says where it
 * stands. Values are looked at where they lie and not copied: a pickle's may contain themselves, or one another many
 * times.
 */
import { isUtf8 } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { UserError, messageOf } from '../errors.js';
import { readJsonList, readJsonLists, readJsonMembers, type TakeRecord } from '../io/json/json-records.js';
import { JsonReader } from '../io/json/json-reader.js';
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
    const records = new JsonPlace(readPickleFile(name, path, advice), name, path).array();
    for (const [index, record] of records.entries()) take(record, index);
  } else reading(name, path, advice, () => readJsonList(path, placed(new JsonPlace(null, name, path), take)));
}

/**
 * Reads the records of a file that is one object of them, in the order of the file; it may be of any size.
 * @param take takes each record, with its key
 * @throws UserError where it cannot be read, and what `take` throws
 */
export function readJsonRecordMap(
  name: string,
  path: string,
  advice: string,
  take: (record: JsonPlace, key: string) => void,
): void {
  const root = new JsonPlace(null, name, path);
  reading(name, path, advice, () => {
    readJsonMembers(path, (value, key) => {
      take(root.at(value, key), key);
    });
  });
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
    Object.entries(takers).map(([key, take]) => [key, placed(root.at(null, key), take)]),
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

/** A value in a dataset's file: of JSON, or of a pickle, whose tuples are lists and whose dicts are objects. */
export class JsonPlace extends JsonReader {
  /** @param name of the dataset */
  constructor(
    value: unknown,
    private readonly name: string,
    file: string,
    parent: JsonPlace | null = null,
    step: string | number = '',
  ) {
    super(value, file, parent, step);
  }

  override at(value: unknown, step: string | number): this {
    return new JsonPlace(value, this.name, this.source, this, step) as this;
  }

  /** The value under a key; it may be null. */
  override key(key: string): this {
    const { value } = this;
    const own = isPlainObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
    const found: unknown = value instanceof Map ? value.get(key) : own;
    return found === undefined ? this.fail(`an object with the key "${key}"`) : this.at(found, key);
  }

  isList(): boolean {
    return Array.isArray(this.value) || this.value instanceof PickleTuple;
  }

  override array(): this[] {
    if (!(this.value instanceof PickleTuple)) return super.array();
    return this.value.items.map((item, index) => this.at(item, index));
  }

  /** A file's name, which is joined to a folder that it must not lead out of. @param isBare whether it has no folders */
  fileName(isBare = false): string {
    const name = this.string();
    const isInside = name.split('/').every((step) => step !== '' && step !== '.' && step !== '..');
    if (isInside && !/[\\\0]/.test(name) && !(isBare && name.includes('/'))) return name;
    return this.fail(
      `a file name${isBare ? ' without a folder' : ', which may stand in folders but not lead out of them'}`,
    );
  }

  /** Height and width in an image's record, in pixels. */
  size(): Size {
    const [height, width] = [this.key('height').integer(), this.key('width').integer()];
    if (height > 0 && width > 0 && height * width <= MAX_PIXELS) return { height, width };
    return this.fail(`a positive height and width of at most ${MAX_PIXELS} pixels together`);
  }

  override fail(expected: string): never {
    throw new UserError(
      `Reading ${this.name}: ${this.path || 'the top level'} of ${this.source} is ${describe(this.value)}; ` +
        `expected ${expected}. Correct it or use the published file.`,
    );
  }
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isPlainObject(value)) return `an object with ${Object.keys(value).slice(0, 6).join(', ') || 'no keys'}`;
  if (typeof value === 'object' && value !== null) return describePickled(value as PickleValue);
  if (typeof value === 'bigint') return String(value).slice(0, 60);
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 60);
}

/** An object of JSON; dicts and other values of a pickle are of classes. */
function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Ids that must stand once in a list: the second of two entries would silently take the place of the first. */
export class RepeatedIds {
  /** The first entry of each id, with its name for a reader; only a checksum of it is kept, since lists may be long. */
  private readonly first = new Map<string | number, { index: number; checksum: number; name: string | null }>();
  /** A sentence for each id that stands twice with different contents: both places and what is there. */
  readonly faults: string[] = [];

  /** @param list its name in the file, such as "images" */
  constructor(private readonly list: string) {}

  has(id: string | number): boolean {
    return this.first.has(id);
  }

  /**
   * Notes an entry; one that repeats an earlier one word for word is no fault.
   * @param value of the entry, an object of JSON
   * @returns whether the id is new
   */
  add(id: string | number, index: number, value: unknown): boolean {
    const checksum = crc32(JSON.stringify(value));
    const earlier = this.first.get(id);
    if (earlier === undefined) {
      this.first.set(id, { index, checksum, name: nameOf(value) });
      return true;
    }
    if (earlier.checksum !== checksum) {
      const { list } = this;
      const other = nameOf(value);
      const names = earlier.name === null || other === null ? '' : `: ${earlier.name}, ${other}`;
      this.faults.push(`the id ${id} is used twice, by ${list}[${earlier.index}] and ${list}[${index}]${names}`);
    }
    return false;
  }
}

function nameOf(entry: unknown): string | null {
  if (typeof entry !== 'object' || entry === null) return null;
  const { file_name: file, name, coco_url: url } = entry as Record<string, unknown>;
  const known = file ?? name ?? url;
  return typeof known === 'string' ? JSON.stringify(known.slice(0, 100)) : null;
}
