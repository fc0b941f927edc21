/**
 * Step-by-step reading of a JSON value from a file; mistakes name the file and the path of the key:
 * `configs/tiny.json5: training.learningRate is "fast", expected a number`.
 */
import { UserError } from '../../errors.js';
import { nearestName } from '../../nearest-name.js';

/** Bounds, both allowed themselves. */
export interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

export class JsonReader {
  private constructor(
    /** The value itself, unchecked. */
    readonly value: unknown,
    private readonly source: string,
    private readonly parent: JsonReader | null,
    private readonly step: string | number,
  ) {}

  /** @param source what errors name: the file's path */
  static of(value: unknown, source: string): JsonReader {
    return new JsonReader(value, source, null, '');
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

  object(): Record<string, unknown> {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value))
      return this.fail('an object');
    return this.value as Record<string, unknown>;
  }

  key(name: string): JsonReader {
    const found = this.optional(name);
    if (found !== null) return found;
    const place = this.path === '' ? '' : `in "${this.path}" `;
    const known = Object.keys(this.object()).slice(0, 20).join(', ');
    throw new UserError(
      `${this.source}: ${place}the key "${name}" is missing (there are: ${known === '' ? 'none' : known}).`,
    );
  }

  /** The value of a key, or null where it is absent or null. */
  optional(name: string): JsonReader | null {
    const object = this.object();
    const value = Object.hasOwn(object, name) ? object[name] : undefined;
    return value === undefined || value === null ? null : new JsonReader(value, this.source, this, name);
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

  entries(): [string, JsonReader][] {
    return Object.entries(this.object()).map(([name, value]) => [name, new JsonReader(value, this.source, this, name)]);
  }

  array(): JsonReader[] {
    if (!Array.isArray(this.value)) return this.fail('a list');
    return this.value.map((value: unknown, index) => new JsonReader(value, this.source, this, index));
  }

  string(): string {
    return typeof this.value === 'string' ? this.value : this.fail('a text');
  }

  boolean(): boolean {
    return typeof this.value === 'boolean' ? this.value : this.fail('true or false');
  }

  /** A finite number (JSON5 can hold Infinity and NaN). */
  number({ min = -Infinity, max = Infinity }: Bounds = {}): number {
    const { value } = this;
    if (typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max) return value;
    return this.fail(`a number${bounds(min, max)}`);
  }

  integer({ min = -Infinity, max = Infinity }: Bounds = {}): number {
    const { value } = this;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
    return this.fail(`a whole number${bounds(min, max)}`);
  }

  /** A list of finite numbers, without a reader for each. */
  numbers(): number[] {
    if (!Array.isArray(this.value)) return this.fail('a list of numbers');
    return this.value.map((value: unknown, index) => {
      if (typeof value === 'number' && Number.isFinite(value)) return value;
      return new JsonReader(value, this.source, this, index).fail('a number');
    });
  }

  oneOf<T extends string>(allowed: readonly T[]): T {
    const found = allowed.find((text) => text === this.value);
    return found ?? this.fail(`one of ${allowed.map((text) => `"${text}"`).join(', ')}`);
  }
}

function bounds(min: number, max: number): string {
  if (min > -Infinity && max < Infinity) return ` from ${min} to ${max}`;
  if (min > -Infinity) return ` of at least ${min}`;
  return max < Infinity ? ` of at most ${max}` : '';
}

/** A value for an error message: short, and of large ones only the kind. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value);
  return String(value);
}
