/** Reading option values: each function gives a yargs `coerce` that refuses bad values in one clear line. */
import { existsSync, statSync } from 'node:fs';
import { UsageError, UserError } from '../errors.js';
import { didYouMean } from '../nearest-name.js';
import { packagedPath } from '../program.js';

export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
}

/** A whole number, e.g. `--seed 7`. */
export function wholeNumber(flag: string, range: NumberRange = {}): (value: unknown) => number {
  return (value) => {
    const number = toNumber(single(flag, value));
    if (!Number.isSafeInteger(number)) throw new UsageError(`--${flag} must be a whole number, not ${show(value)}`);
    return inRange(flag, number, range);
  };
}

/** A finite number, e.g. `--minutes 2.5`. */
export function finiteNumber(flag: string, range: NumberRange = {}): (value: unknown) => number {
  return (value) => {
    const number = toNumber(single(flag, value));
    if (!Number.isFinite(number)) throw new UsageError(`--${flag} must be a number, not ${show(value)}`);
    return inRange(flag, number, range);
  };
}

/** A text that is not blank, e.g. a path. */
export function text(flag: string): (value: unknown) => string {
  return (value) => {
    const given = String(single(flag, value));
    if (given.trim() === '') throw new UsageError(`--${flag} is empty`);
    return given;
  };
}

/** A file or folder to read; one that the documentation names is found from any folder (`packagedPath`). */
export function inputPath(flag: string): (value: unknown) => string {
  const read = text(flag);
  return (value) => packagedPath(read(value));
}

/** One of a few known names. */
export function oneOf<T extends string>(flag: string, names: readonly T[]): (value: unknown) => T {
  return (value) => known(flag, String(single(flag, value)), names);
}

/** Any of a few known names, without repetitions, in the order given. */
export function someOf<T extends string>(flag: string, names: readonly T[]): (value: unknown) => T[] {
  return (value) => {
    const given = Array.isArray(value) ? value.map(String) : [String(value)];
    if (given.length === 0) throw new UsageError(`--${flag} needs at least one of: ${names.join(', ')}`);
    return [...new Set(given.map((name) => known(flag, name, names)))];
  };
}

/** One part of several, e.g. `--shard 0/4`: the first of four. */
export function shard(flag: string): (value: unknown) => { readonly index: number; readonly count: number } {
  return (value) => {
    const given = String(single(flag, value));
    const match = /^(\d{1,6})\/(\d{1,6})$/.exec(given);
    const [index, count] = [Number(match?.[1]), Number(match?.[2])];
    if (index < count) return { index, count };
    throw new UsageError(`--${flag} takes INDEX/COUNT with INDEX from 0 to COUNT - 1, such as 0/4, not ${show(given)}`);
  };
}

/** `key=value` pairs, e.g. `--set optimizer.lr=1e-4`; the value's text is left as it is. */
export function keyValues(flag: string): (value: unknown) => [key: string, value: string][] {
  return (value) =>
    (Array.isArray(value) ? value.map(String) : [String(value)]).map((pair) => {
      const equals = pair.indexOf('=');
      const key = pair.slice(0, Math.max(equals, 0)).trim();
      if (key === '') throw new UsageError(`--${flag} takes key=value, not ${show(pair)}`);
      return [key, pair.slice(equals + 1)];
    });
}

/** Refuses a path at which there is no file, naming what brought it: "--config", or "<file>" of a positional. */
export function requireFile(argument: string, path: string): void {
  if (!existsSync(path)) throw new UserError(`${path}: no such file; ${argument} takes an existing file`);
  if (!statSync(path).isFile()) throw new UserError(`${path} is a folder; ${argument} takes a file`);
}

/** Refuses a path at which there is no folder, as `requireFile`. */
export function requireFolder(argument: string, path: string): void {
  if (!existsSync(path)) throw new UserError(`${path}: no such folder; ${argument} takes an existing folder`);
  if (!statSync(path).isDirectory()) throw new UserError(`${path} is not a folder; ${argument} takes a folder`);
}

function known<T extends string>(flag: string, given: string, names: readonly T[]): T {
  const found = names.find((name) => name === given);
  if (found !== undefined) return found;
  throw new UsageError(`--${flag} must be one of ${names.join(', ')}, not ${show(given)}${didYouMean(given, names)}`);
}

function single(flag: string, value: unknown): unknown {
  if (Array.isArray(value)) throw new UsageError(`--${flag} is given more than once`);
  return value;
}

function toNumber(value: unknown): number {
  return typeof value === 'number' ? value : typeof value === 'string' && value.trim() !== '' ? Number(value) : NaN;
}

function inRange(flag: string, value: number, { min = -Infinity, max = Infinity }: NumberRange): number {
  if (value >= min && value <= max) return value;
  const range = max === Infinity ? `at least ${min}` : min === -Infinity ? `at most ${max}` : `from ${min} to ${max}`;
  throw new UsageError(`--${flag} must be ${range}, not ${value}`);
}

/** As typed, in quotes; a number that yargs has read already without them. */
function show(value: unknown): string {
  return JSON.stringify(value);
}
