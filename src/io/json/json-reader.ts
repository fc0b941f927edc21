/**
 * Step-by-step reading of a JSON value from a file; mistakes name the file and the path of the key:
 * `configs/tiny.json5: training.learningRate is "fast", expected a number`.
 */
import { UserError } from '../../errors.js';
import { nearestName } from '../../nearest-name.js';
import { type Bounds, expected as expectedNumber, shown } from '../../schema.js';
import { readJson } from './json-file.js';

type Limits = Omit<Bounds, 'above'>;

export class JsonReader {
  protected constructor(
    /** The value itself, unchecked. */
    readonly value: unknown,
    /** Path of the file, for errors. */
    readonly source: string,
    private readonly parent: JsonReader | null,
    private readonly step: string | number,
  ) {}

  /** @param source what errors name: the file's path */
  static of(value: unknown, source: string): JsonReader {
    return new JsonReader(value, source, null, '');
  }

  /** @param whatFor purpose of the file, for errors */
  static open(path: string, whatFor: string): JsonReader {
    return JsonReader.of(readJson(path, whatFor), path);
  }

  /** A value within this one, or read by itself. @param step its key or position */
  at(value: unknown, step: string | number): this {
    return new JsonReader(value, this.source, this, step) as this;
  }

  /** Where this value stands: `training.schedule[2].name`; made only when asked for. */
  get path(): string {
    if (this.parent === null) return '';
    if (typeof this.step === 'number') return `${this.parent.path}[${this.step}]`;
    const before = this.parent.path;
    return before === '' ? this.step : `${before}.${this.step}`;
  }

  /** Reports this value as wrong. */
  fail(expected: string): never {
    const place = this.path === '' ? 'the whole file' : `"${this.path}"`;
    throw new UserError(`${this.source}: ${place} is ${shown(this.value)}, expected ${expected}.`);
  }

  /** The result of `work`, whose UserError tells why the value is not what was expected. */
  orFail<T>(expected: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof UserError) return this.fail(`${expected} (${error.message})`);
      throw error;
    }
  }

  object(): Record<string, unknown> {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value))
      return this.fail('an object');
    return this.value as Record<string, unknown>;
  }

  key(name: string): this {
    const found = this.optional(name);
    if (found !== null) return found;
    const place = this.path === '' ? '' : `in "${this.path}" `;
    const known = Object.keys(this.object()).slice(0, 20).join(', ');
    throw new UserError(
      `${this.source}: ${place}the key "${name}" is missing (there are: ${known === '' ? 'none' : known}).`,
    );
  }

  /** The value of a key, or null where it is absent or null. */
  optional(name: string): this | null {
    const object = this.object();
    const value = Object.hasOwn(object, name) ? object[name] : undefined;
    return value === undefined || value === null ? null : this.at(value, name);
  }

  /** Refuses keys that nobody reads: a misspelt option must not be ignored. */
  onlyKeys(allowed: readonly string[]): this {
    for (const name of Object.keys(this.object())) {
      if (allowed.includes(name)) continue;
      const place = this.path === '' ? '' : ` in "${this.path}"`;
      const nearest = nearestName(name, allowed);
      const hint = nearest === null ? '' : `did you mean "${nearest}"? `;
      throw new UserError(`${this.source}: unknown key "${name}"${place}; ${hint}allowed: ${allowed.join(', ')}.`);
    }
    return this;
  }

  entries(): [string, this][] {
    return Object.entries(this.object()).map(([name, value]) => [name, this.at(value, name)]);
  }

  array(): this[] {
    if (!Array.isArray(this.value)) return this.fail('a list');
    return this.value.map((value: unknown, index) => this.at(value, index));
  }

  string(): string {
    return typeof this.value === 'string' ? this.value : this.fail('a text');
  }

  boolean(): boolean {
    return typeof this.value === 'boolean' ? this.value : this.fail('true or false');
  }

  /** A finite number (JSON5 can hold Infinity and NaN). */
  number(limits: Limits = {}): number {
    return this.numberWhere(Number.isFinite, 'a number', limits);
  }

  integer(limits: Limits = {}): number {
    return this.numberWhere(Number.isSafeInteger, 'a whole number', limits);
  }

  private numberWhere(accepts: (value: number) => boolean, what: string, limits: Limits): number {
    const { value } = this;
    const { min = -Infinity, max = Infinity } = limits;
    if (typeof value === 'number' && accepts(value) && value >= min && value <= max) return value;
    return this.fail(expectedNumber(what, limits));
  }

  /** A list of finite numbers, without a reader for each. */
  numbers(): number[] {
    if (!Array.isArray(this.value)) return this.fail('a list of numbers');
    const wrong = this.value.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0) this.at(this.value[wrong], wrong).fail('a number');
    return this.value as number[];
  }

  oneOf<T extends string>(allowed: readonly T[]): T {
    const found = allowed.find((text) => text === this.value);
    return found ?? this.fail(`one of ${allowed.map((text) => `"${text}"`).join(', ')}`);
  }
}
