/** Objects of a tokenizer's JSON files, and what is wrong with them. */
import { readFileSync, statSync } from 'node:fs';
import { UserError, messageOf } from '../../errors.js';
import { describeStandIn } from '../../io/file-kind.js';

/** Larger than any published tokenizer.json (about 35 MB). */
const MAX_JSON_BYTES = 128 * 1024 * 1024;
const MAX_VOCABULARY = 2_000_000;

/** The object that a file holds. @throws UserError that says what the file is instead */
export function readObject(path: string): Record<string, unknown> {
  let json: unknown;
  let bytes: Buffer;
  try {
    const { size } = statSync(path);
    if (size > MAX_JSON_BYTES) throw new Error(`it has ${size} bytes, more than ${MAX_JSON_BYTES}`);
    bytes = readFileSync(path);
  } catch (error) {
    throw new UserError(`Reading the tokenizer: ${path} cannot be read (${messageOf(error)}). Copy it again.`);
  }
  const standIn = describeStandIn(bytes.subarray(0, 512), true);
  if (standIn !== null) throw new UserError(`Reading the tokenizer: ${path} cannot be read: ${standIn}.`);
  try {
    json = JSON.parse(bytes.toString('utf8').replace(/^\ufeff/, ''));
  } catch (error) {
    throw new UserError(`Reading the tokenizer: ${path} cannot be read as JSON (${messageOf(error)}). Copy it again.`);
  }
  if (!isObject(json)) throw wrongKey(path, 'the top level', 'an object', json);
  return json;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < MAX_VOCABULARY;
}

export function wrongKey(path: string, key: string, expected: string, found: unknown): UserError {
  return new UserError(
    `Reading the tokenizer: ${key} in ${path} should be ${expected}, but is ${found === undefined ? 'missing' : JSON.stringify(found).slice(0, 60)}. ` +
      'Copy the file again from the checkpoint.',
  );
}
