/** Reading the JSON files of datasets: every value that is used is checked, and a message says where it stands. */
import { readFileSync, statSync } from 'node:fs';

import { UserError, messageOf } from '../errors.js';
import { MAX_PIXELS } from './coco-mask.js';
import type { ReferInstances } from './refer-dataset.js';

/** Node's longest string: JSON beyond it cannot be read in one piece. COCO's instances.json has about 200 MB. */
const MAX_JSON_BYTES = 512 * 1024 * 1024;

/** Parses a JSON file of the dataset `name`; `advice` ends the message where it cannot be read. */
export function readJsonFile(name: string, path: string, advice: string): unknown {
  try {
    const { size } = statSync(path);
    if (size >= MAX_JSON_BYTES) throw new Error(`it has ${size} bytes, more than ${MAX_JSON_BYTES}`);
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UserError(`Reading ${name}: ${path} cannot be read as JSON (${messageOf(error)}). ${advice}`);
  }
}

/** A value within a JSON file that knows where it stands. */
export class JsonPlace {
  constructor(
    readonly value: unknown,
    private readonly name: string,
    private readonly file: string,
    private readonly parent: JsonPlace | null = null,
    private readonly step = '',
  ) {}

  /** The value under a key of an object. */
  key(key: string): JsonPlace {
    const { value } = this;
    const found = typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, key);
    if (!found) throw this.wrong(`an object with the key "${key}"`);
    return new JsonPlace((value as Record<string, unknown>)[key], this.name, this.file, this, `.${key}`);
  }

  /** Keys and values of an object. */
  entries(): [string, JsonPlace][] {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.wrong('an object');
    return Object.keys(value).map((key) => [key, this.key(key)]);
  }

  isList(): boolean {
    return Array.isArray(this.value);
  }

  list(): JsonPlace[] {
    if (!Array.isArray(this.value)) throw this.wrong('a list');
    return this.value.map((item: unknown, i) => new JsonPlace(item, this.name, this.file, this, `[${i}]`));
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

  /** Any finite number. */
  number(): number {
    if (typeof this.value !== 'number') throw this.wrong('a number');
    return this.value;
  }

  /** The error that says what stands here instead of `expected`. */
  wrong(expected: string): UserError {
    return new UserError(
      `Reading ${this.name}: ${this.path() || 'the top level'} of ${this.file} is ${describe(this.value)}; ` +
        `expected ${expected}. Correct it or use the published file.`,
    );
  }

  private path(): string {
    const path = (this.parent?.path() ?? '') + this.step;
    return this.parent?.parent === null ? path.replace(/^\./, '') : path;
  }
}

/** `images` and `annotations` of a COCO instances file. Segmentations are looked into only when they are used. */
export function instancesFromJson(root: JsonPlace, source: string): ReferInstances {
  const images = new Map<number, { fileName: string; height: number; width: number }>();
  for (const image of root.key('images').list()) {
    const name = image.key('file_name');
    // The name is joined to a folder: it must not lead out of it.
    if (!/^[^/\\]+$/.test(name.text()) || name.text() === '..') throw name.wrong('a file name without a folder');
    const [height, width] = [image.key('height').integer(), image.key('width').integer()];
    if (height <= 0 || width <= 0 || height * width > MAX_PIXELS) {
      throw image.wrong(`a positive height and width of at most ${MAX_PIXELS} pixels together`);
    }
    images.set(image.key('id').integer(), { fileName: name.text(), height, width });
  }
  const segmentations = new Map<number, unknown>();
  for (const annotation of root.key('annotations').list()) {
    segmentations.set(annotation.key('id').integer(), annotation.key('segmentation').value);
  }
  return { source, images, segmentations };
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null)
    return `an object with ${Object.keys(value).slice(0, 6).join(', ') || 'no keys'}`;
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 60);
}
