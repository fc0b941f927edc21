/** Readers of option values: each refuses bad values in one clear line. */
import { existsSync, statSync } from 'node:fs';
import { UsageError, UserError } from '../../errors.js';
import { didYouMean } from '../../nearest-name.js';
import { packagedPath } from '../../program.js';
import type { Reader } from './option.js';

export function wholeNumber(min?: number, max?: number): Reader<number> {
  return numberReader(Number.isSafeInteger, 'a whole number', min, max);
}

export const SEED = wholeNumber(0, 2 ** 32 - 1);

export function finiteNumber(min?: number, max?: number): Reader<number> {
  return numberReader(Number.isFinite, 'a number', min, max);
}

function numberReader(
  isOne: (value: unknown) => boolean,
  what: string,
  min = -Infinity,
  max = Infinity,
): Reader<number> {
  const range = max === Infinity ? `at least ${min}` : min === -Infinity ? `at most ${max}` : `from ${min} to ${max}`;
  return {
    form: 'word',
    read: (value, flag) => {
      const given = single(flag, value);
      const isText = typeof given === 'string' && given.trim() !== '';
      const number = isText || typeof given === 'number' ? Number(given) : NaN;
      if (!isOne(number)) throw new UsageError(`--${flag} must be ${what}, not ${JSON.stringify(value)}`);
      if (number >= min && number <= max) return number;
      throw new UsageError(`--${flag} must be ${range}, not ${number}`);
    },
  };
}

export const TEXT: Reader<string> = {
  form: 'text',
  read: (value, flag) => {
    const given = String(single(flag, value));
    if (given.trim() === '') throw new UsageError(`--${flag} is empty`);
    return given;
  },
};

export const TEXTS: Reader<string[]> = { form: 'list', read: listed };

/** A file or folder to read; one that the documentation names is found from any folder (`packagedPath`). */
export const INPUT_PATH: Reader<string> = { form: 'text', read: (value, flag) => packagedPath(TEXT.read(value, flag)) };

export function oneOf<T extends string>(names: readonly T[]): Reader<T> {
  return { form: 'word', choices: names, read: (value, flag) => known(flag, String(single(flag, value)), names) };
}

/** Any of a few known names, without repetitions, in the order given. */
export function someOf<T extends string>(names: readonly T[]): Reader<T[]> {
  return {
    form: 'list',
    choices: names,
    read: (value, flag) => {
      const given = listed(value);
      if (given.length === 0) throw new UsageError(`--${flag} needs at least one of: ${names.join(', ')}`);
      return [...new Set(given.map((name) => known(flag, name, names)))];
    },
  };
}

/**
 * A text of a certain form.
 * @param phrase for the error, behind the option's name: 'takes INDEX/COUNT, such as 0/4'
 * @param parse undefined for a text of another form
 */
export function textAs<T>(phrase: string, parse: (text: string) => T | undefined): Reader<T> {
  return {
    form: 'text',
    read: (value, flag) => {
      const parsed = parse(String(single(flag, value)));
      if (parsed !== undefined) return parsed;
      throw new UsageError(`--${flag} ${phrase}, not ${JSON.stringify(value)}`);
    },
  };
}

/** One part of several, e.g. `--shard 0/4`: the first of four. */
export const SHARD = textAs('takes INDEX/COUNT with INDEX from 0 to COUNT - 1, such as 0/4', (text) => {
  const match = /^(\d{1,6})\/(\d{1,6})$/.exec(text);
  const [index, count] = [Number(match?.[1]), Number(match?.[2])];
  return index < count ? { index, count } : undefined;
});

/** Refuses a path at which there is no file, naming what brought it: "--config", or "<file>" of a positional. */
export function requireFile(argument: string, path: string): void {
  if (!existsSync(path)) throw new UserError(`${path}: no such file; ${argument} takes an existing file`);
  if (!statSync(path).isFile()) throw new UserError(`${path} is a folder; ${argument} takes a file`);
}

export function requireData(path: string): void {
  if (existsSync(path)) return;
  throw new UserError(`${path}: no such folder, and no such file of own data; --data takes an existing one`);
}

export function requireFolder(argument: string, path: string): void {
  if (!existsSync(path)) throw new UserError(`${path}: no such folder; ${argument} takes an existing folder`);
  if (!statSync(path).isDirectory()) throw new UserError(`${path} is not a folder; ${argument} takes a folder`);
}

function known<T extends string>(flag: string, given: string, names: readonly T[]): T {
  const found = names.find((name) => name === given);
  if (found !== undefined) return found;
  throw new UsageError(
    `--${flag} must be one of ${names.join(', ')}, not ${JSON.stringify(given)}${didYouMean(given, names)}`,
  );
}

export function listed(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [String(value)];
}

function single(flag: string, value: unknown): unknown {
  if (Array.isArray(value)) throw new UsageError(`--${flag} is given more than once`);
  return value;
}
