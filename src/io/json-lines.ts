/** Logs as JSON lines: one object per line, only ever appended to, so that a crash costs at most the last line. */
import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { UserError, messageOf } from '../errors.js';
import { readText } from './json-file.js';

export type JsonRecord = Readonly<Record<string, unknown>>;

/** Appends records to a file. Each is written with one call, so that a reader sees whole lines. */
export class JsonLinesWriter {
  private file: number | null;

  /**
   * Opens the file for appending, makes it and its folder where missing. A last line that a crash cut off is removed.
   * @throws UserError when it cannot be opened
   */
  constructor(private readonly path: string) {
    try {
      mkdirSync(dirname(path), { recursive: true });
      this.file = openSync(path, 'a+');
      dropUnfinishedLine(this.file);
    } catch (error) {
      throw new UserError(`Cannot open the log ${path}: ${messageOf(error)}.`);
    }
  }

  /** Appends one line. Numbers that JSON lacks (NaN, Infinity) are written as texts, not lost as null. */
  write(record: JsonRecord): void {
    if (this.file === null) throw new Error(`JsonLinesWriter: ${this.path} is closed`);
    try {
      writeSync(this.file, `${JSON.stringify(record, keepSpecialNumbers)}\n`);
    } catch (error) {
      throw new UserError(`Cannot write the log ${this.path}: ${messageOf(error)}.`);
    }
  }

  /** Closes the file; a second call does nothing. */
  close(): void {
    if (this.file !== null) closeSync(this.file);
    this.file = null;
  }
}

/**
 * Reads all records of a log; a cut-off last line is left out.
 * @throws UserError that names the file and the line
 */
export function readJsonLines(path: string): unknown[] {
  const lines = readText(path, 'a JSON-lines log').split('\n');
  // After the last line break stands nothing, or what a crash cut off.
  lines.pop();
  return lines.map((line, index) => {
    try {
      return JSON.parse(line) as unknown;
    } catch {
      throw new UserError(`${path}: line ${index + 1} is not valid JSON.`);
    }
  });
}

function keepSpecialNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function dropUnfinishedLine(file: number): void {
  const { size } = fstatSync(file);
  if (size === 0) return;
  const last = Buffer.alloc(1);
  readSync(file, last, 0, 1, size - 1);
  if (last[0] === 0x0a) return;
  ftruncateSync(file, readFileSync(file).lastIndexOf(0x0a) + 1);
}
