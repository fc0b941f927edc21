/**
 * JSON files of any size, record by record: a list, an object of records, or an object of lists, together perhaps longer
 * than a string of V8 (512 MB). Bytes are only searched for a record's end; JSON.parse reads each, as strict and fast as the whole at once.
 * (@streamparser/json takes three times as long for gRefCOCO, stream-json seven times.)
 */
import { isUtf8 } from 'node:buffer';
import { closeSync, openSync, readSync } from 'node:fs';
import { messageOf } from '../../errors.js';
import { notUtf8 } from '../text-encoding.js';

/** Takes each record, with its place in its list; an error that it throws ends the reading. */
export type TakeRecord = (value: unknown, index: number) => void;

const CHUNK_BYTES = 4 * 2 ** 20;
/** Bounds the memory that a file can ask for; the longest records of the published files have some 100 KB. */
const MAX_RECORD_BYTES = 64 * 2 ** 20;

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
const END = -1;

/** Reads one list. @param chunkBytes read at once, more for longer records @throws Error, without the file's name */
export function readJsonList(path: string, take: TakeRecord, chunkBytes = CHUNK_BYTES): void {
  withScanner(path, chunkBytes, (scanner) => {
    if (scanner.peek() !== OPEN_LIST) throw new Error(`${scanner.found()}, expected a list`);
    scanner.list('', take);
  });
}

/** Takes each record of an object, with its key; an error that it throws ends the reading. */
export type TakeMember = (value: unknown, key: string) => void;

/** Reads the records of one object, in the order of the file. @throws Error, without the file's name */
export function readJsonMembers(path: string, take: TakeMember, chunkBytes = CHUNK_BYTES): void {
  withScanner(path, chunkBytes, (scanner) => {
    if (scanner.peek() !== OPEN_OBJECT) throw new Error(`${scanner.found()}, expected an object`);
    for (const key of scanner.keys()) take(scanner.value(`"${key}"`), key);
  });
}

/** Reads those lists of an object that have a taker. @returns all keys @throws Error, without the file's name */
export function readJsonLists(path: string, takers: Readonly<Record<string, TakeRecord>>, chunkBytes = CHUNK_BYTES) {
  return withScanner(path, chunkBytes, (scanner) => {
    if (scanner.peek() !== OPEN_OBJECT) throw new Error(`${scanner.found()}, expected an object`);
    const keys: string[] = [];
    for (const key of scanner.keys()) {
      keys.push(key);
      const take = Object.hasOwn(takers, key) ? takers[key] : undefined;
      if (take === undefined) scanner.pass();
      else if (scanner.peek() === OPEN_LIST) scanner.list(key, take);
      else throw new Error(`${scanner.found()}, expected the list "${key}"`);
    }
    return keys;
  });
}

function withScanner<T>(path: string, chunkBytes: number, read: (scanner: Scanner) => T): T {
  const file = openSync(path, 'r');
  try {
    const scanner = new Scanner(file, path, chunkBytes);
    const result = read(scanner);
    if (scanner.peek() !== END) throw new Error(`${scanner.found()} after the end`);
    return result;
  } finally {
    closeSync(file);
  }
}

/** The file's bytes, of which those from `start` on are kept. */
class Scanner {
  private bytes: Buffer;
  private at = 0;
  private end = 0;
  /** Where the value begins that is being passed and kept; `at` where none is. */
  private start = 0;
  private keeping = false;
  /** Position in the file of bytes[0]. */
  private offset = 0;

  constructor(
    private readonly file: number,
    /** For messages. */
    private readonly path: string,
    chunkBytes: number,
  ) {
    this.bytes = Buffer.allocUnsafe(chunkBytes);
    if (!this.more()) return;
    const [first, second, third] = this.bytes;
    if (first === 0xef && second === 0xbb && third === 0xbf) this.at = 3;
    const isUtf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
    if (isUtf16) throw new Error(notUtf8(this.bytes.subarray(0, this.end), path));
  }

  /** The next byte that is no white space, not yet passed; END at the end of the file. */
  peek(): number {
    for (;;) {
      for (; this.at < this.end; this.at++) {
        const byte = this.bytes[this.at] as number;
        if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
      }
      if (!this.more()) return END;
    }
  }

  /** Description of the value at the current place, for messages. */
  found(): string {
    const position = this.offset + this.at;
    if (this.at >= this.end) return `the file ends at byte ${position}`;
    const text = this.bytes.toString('utf8', this.at, Math.min(this.end, this.at + 12)).replace(/\s+/g, ' ');
    return `byte ${position} is the beginning of ${JSON.stringify(text)}`;
  }

  /** The list that begins here, one element after the other. */
  list(name: string, take: TakeRecord): void {
    if (this.isEmpty(CLOSE_LIST)) return;
    let index = 0;
    do take(this.value(`${name}[${index}]`), index++);
    while (!this.ends(CLOSE_LIST));
  }

  /** The keys of the object that begins here; the caller passes each value before asking for the next. */
  *keys(): Generator<string> {
    if (this.isEmpty(CLOSE_OBJECT)) return;
    do {
      if (this.peek() !== QUOTE) throw new Error(`${this.found()}, expected a key`);
      const key = this.value('a key') as string;
      if (this.peek() !== COLON) throw new Error(`${this.found()}, expected ":" after the key "${key}"`);
      this.at++;
      yield key;
    } while (!this.ends(CLOSE_OBJECT));
  }

  /** The next value; `what` it is, for messages. */
  value(what: string): unknown {
    this.peek();
    this.start = this.at;
    this.keeping = true;
    this.pass();
    this.keeping = false;
    this.checkLength(this.start, this.at - this.start);
    const bytes = this.bytes.subarray(this.start, this.at);
    const place = `${what}, at byte ${this.offset + this.start},`;
    if (!isUtf8(bytes)) throw new Error(`${place} is not in UTF-8: ${notUtf8(bytes, this.path)}`);
    try {
      return JSON.parse(bytes.toString('utf8')) as unknown;
    } catch (error) {
      throw new Error(`${place} is not valid JSON: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Passes the bracket that opens a list or object, and the closing one where nothing is between. */
  private isEmpty(close: number): boolean {
    this.at++;
    if (this.peek() !== close) return false;
    this.at++;
    return true;
  }

  /** Whether a list or object ends here; if not, the comma is passed. */
  private ends(close: number): boolean {
    const byte = this.peek();
    if (byte !== close && byte !== COMMA) {
      throw new Error(`${this.found()}, expected "," or "${String.fromCharCode(close)}"`);
    }
    this.at++;
    return byte === close;
  }

  /** Goes behind the next value. */
  pass(): void {
    const first = this.peek();
    if (first === QUOTE || first === OPEN_LIST || first === OPEN_OBJECT) this.passEnclosed();
    else this.passPlain();
  }

  /** A text, list or object: up to where all brackets outside of texts are closed again. */
  private passEnclosed(): void {
    let depth = 0;
    let inText = false;
    let escaped = false;
    do {
      const { bytes, end } = this;
      let at = this.at;
      for (; at < end; at++) {
        const byte = bytes[at] as number;
        if (inText) {
          if (escaped) escaped = false;
          else if (byte === BACKSLASH) escaped = true;
          else if (byte === QUOTE) inText = false;
          else continue;
          if (inText) continue;
        } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
          depth--;
        } else {
          if (byte === QUOTE) inText = true;
          else if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth++;
          continue;
        }
        if (depth > 0) continue;
        this.at = at + 1;
        return;
      }
      this.at = at;
    } while (this.more());
    throw new Error(`the file ends at byte ${this.offset + this.at}, within a value`);
  }

  /** A number, true, false or null: up to what may stand behind it. */
  private passPlain(): void {
    const from = this.offset + this.at;
    do {
      for (; this.at < this.end; this.at++) {
        const byte = this.bytes[this.at] as number;
        if (byte === COMMA || byte === CLOSE_LIST || byte === CLOSE_OBJECT || byte <= 0x20) {
          if (this.offset + this.at === from) throw new Error(`${this.found()}, expected a value`);
          return;
        }
      }
    } while (this.more());
  }

  /** Reads on where all bytes are passed; false at the end of the file. */
  private more(): boolean {
    const from = this.keeping ? this.start : this.at;
    const kept = this.end - from;
    this.checkLength(from, kept);
    // A value that fills most of the space is moved to twice as much.
    const space = kept * 2 > this.bytes.length ? Buffer.allocUnsafe(this.bytes.length * 2) : this.bytes;
    this.bytes.copy(space, 0, from, this.end);
    this.bytes = space;
    this.offset += from;
    this.at -= from;
    this.start -= from;
    this.end = kept + readSync(this.file, space, kept, space.length - kept, null);
    return this.end > kept;
  }

  private checkLength(from: number, bytes: number): void {
    if (bytes <= MAX_RECORD_BYTES) return;
    throw new Error(`the value at byte ${this.offset + from} has more than ${MAX_RECORD_BYTES} bytes`);
  }
}
