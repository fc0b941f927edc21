/** The lines of a text file, read in little memory. */
import { closeSync, readSync } from 'node:fs';
import { UserError, messageOf } from '../errors.js';
import { openText } from './json/json-file.js';

const CHUNK = 1 << 16;
const LINE_FEED = 0x0a;
const BYTE_ORDER_MARK = '\ufeff';
export const NOT_UTF8_LINE = 'it is not a text in UTF-8';
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface TextLine {
  /** From 1. */
  readonly number: number;
  /** Text without line feed (a carriage return before it is kept); empty where there is a `fault`. */
  readonly text: string;
  /** Why the line cannot be used: too long, not UTF-8; else null. */
  readonly fault: string | null;
  /** Bytes of the file including this line's feed; null for a last line without one. */
  readonly end: number | null;
}

/**
 * Reads UTF-8; a byte order mark is dropped. Text after the last line feed is a line too, unless empty.
 * @param longest in bytes; a longer line is skipped and reported as a fault
 * @param whatFor purpose of the file, for errors
 * @throws UserError where the file is missing or cannot be read
 */
export function* readTextLines(path: string, whatFor: string, longest: number): Generator<TextLine, void, undefined> {
  const file = openText(path, whatFor);
  try {
    let [number, before] = [1, 0];
    let line = new LineBytes(longest);
    const chunk = Buffer.alloc(CHUNK);
    for (let length = read(file, chunk, path); length > 0; length = read(file, chunk, path)) {
      let start = 0;
      for (let end = chunk.indexOf(LINE_FEED); end >= 0 && end < length; end = chunk.indexOf(LINE_FEED, start)) {
        line.add(chunk.subarray(start, end));
        before += line.length + 1;
        yield line.end(number++, before);
        line = new LineBytes(longest);
        start = end + 1;
      }
      line.add(chunk.subarray(start, length));
    }
    if (line.length > 0) yield line.end(number, null);
  } finally {
    closeSync(file);
  }
}

function read(file: number, chunk: Buffer, path: string): number {
  try {
    return readSync(file, chunk);
  } catch (error) {
    throw new UserError(`Cannot read ${path}: ${messageOf(error)}.`);
  }
}

/** The bytes of one line as they come in. */
class LineBytes {
  private parts: Buffer[] = [];
  length = 0;

  constructor(private readonly longest: number) {}

  add(bytes: Buffer): void {
    this.length += bytes.length;
    if (this.length > this.longest) this.parts = [];
    // A copy: the chunk is read into again.
    else if (bytes.length > 0) this.parts.push(Buffer.from(bytes));
  }

  end(number: number, end: number | null): TextLine {
    if (this.length > this.longest) {
      return { number, text: '', fault: `it has ${this.length} bytes, at most ${this.longest} are read`, end };
    }
    try {
      const text = UTF8.decode(this.parts.length === 1 ? this.parts[0] : Buffer.concat(this.parts));
      const isMarked = number === 1 && text.startsWith(BYTE_ORDER_MARK);
      return { number, text: isMarked ? text.slice(1) : text, fault: null, end };
    } catch {
      return { number, text: '', fault: NOT_UTF8_LINE, end };
    }
  }
}
