/** JSON and JSON5 files, read with errors that say which file, where in it, and what to do. */
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import JSON5 from 'json5';
import { UserError, messageOf } from '../../errors.js';
import { writeFileAtomic } from '../atomic/atomic-file.js';
import { describeStandInAt } from '../byte-source.js';
import { notUtf8 } from '../text-encoding.js';

/** Up to this length a faulty text is read a second time to find the place of the fault. */
const LONGEST_TO_LOCATE = 5_000_000;

/**
 * @param whatFor purpose, for errors: "the model's sizes" @throws UserError: missing, unreadable, not UTF-8, not JSON
 */
export function readJson(path: string, whatFor: string): unknown {
  const text = readText(path, whatFor);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const standIn = describeStandInAt(path, true);
    if (standIn !== null) throw new UserError(`${path} (${whatFor}) cannot be read: ${standIn}.`);
    throw new UserError(`${path} (${whatFor}) is not valid JSON: ${faultIn(text, error)}.`);
  }
}

/** Reads a JSON5 file: JSON with comments, trailing commas and unquoted keys. Errors as for `readJson`. */
export function readJson5(path: string, whatFor: string): unknown {
  const text = readText(path, whatFor);
  try {
    return JSON5.parse<unknown>(text);
  } catch (error) {
    throw new UserError(`${path} (${whatFor}) is not valid JSON5: ${json5Fault(error)}.`);
  }
}

/** A text file in UTF-8, without byte order mark. @throws UserError: missing, unreadable, not UTF-8 */
export function readText(path: string, whatFor: string): string {
  const file = openText(path, whatFor);
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new UserError(`Cannot read ${path} (${whatFor}): ${messageOf(error)}.`);
  } finally {
    closeSync(file);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UserError(`${path} (${whatFor}) is not a text in UTF-8: ${notUtf8(bytes, path)}.`);
  }
}

/** @throws UserError where the file is missing, none, or cannot be opened */
export function openText(path: string, whatFor: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new UserError(`There is no file ${path} (${whatFor}); check the path.`);
  if (!found.isFile()) throw new UserError(`${path} (${whatFor}) is not a file.`);
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new UserError(`Cannot read ${path} (${whatFor}): ${messageOf(error)}.`);
  }
}

/** Writes a value atomically as indented JSON with a final line break. */
export function writeJson(path: string, value: unknown): void {
  writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** JSON.parse does not always say where; JSON5, which accepts all of JSON, does. */
function faultIn(text: string, error: unknown): string {
  if (text.trim() === '') return 'the file is empty';
  if (text.length > LONGEST_TO_LOCATE) return oneLine(messageOf(error));
  try {
    JSON5.parse(text);
  } catch (located) {
    return json5Fault(located);
  }
  return `${oneLine(messageOf(error))}; it would be valid JSON5, so remove comments, trailing commas and unquoted keys`;
}

/** "JSON5: invalid character 'x' at 3:7" → "invalid character 'x' at line 3, column 7" */
function json5Fault(error: unknown): string {
  const message = oneLine(messageOf(error)).replace(/^JSON5: /, '');
  return message.replace(/ at (\d+):(\d+)$/, ' at line $1, column $2');
}

function oneLine(message: string): string {
  const line = message.replace(/\s+/g, ' ');
  return line.length > 200 ? `${line.slice(0, 197)}...` : line;
}
