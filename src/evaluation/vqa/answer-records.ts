/**
 * Replies of a run in a file, for going on where it was interrupted: a line that says which run it is, then a line for
 * each question, in order, on disk before the next one is asked. What a crash cut off at the end is left out.
 */
import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf, UserError } from '../../errors.js';
import { readTextLines, type TextLine } from '../../io/text-lines.js';
import { integer, object, oneOf, type Read, readAs, text } from '../../schema.js';

const KIND = 'gsva-answers';
/** Far more than a reply takes; bounds what a hostile file makes us hold. */
const LONGEST_LINE = 2 ** 20;

const HEADER = object({
  kind: oneOf([KIND]),
  version: integer({ min: 1, max: 1 }),
  set: text(),
  split: text(),
  questions: integer({ min: 1 }),
  /** Appended to every question; '' where nothing is. */
  instruction: text(),
  maxTokens: integer({ min: 1 }),
  /** The model in words, SHA-256 of its sizes and of its weights. */
  model: text(),
  configDigest: text(),
  weightsDigest: text(),
  engine: text(),
});
export type AnswerHeader = Omit<Read<typeof HEADER>, 'kind' | 'version'>;

const ANSWER = object({ id: text(), reply: text() });

export class AnswerWriter {
  /** Nothing but a header is in the file, and this writer has begun it. */
  private isBare = false;

  private constructor(
    private readonly path: string,
    private file: number | null,
  ) {}

  /** @throws UserError when the file exists: records cost hours and are never overwritten */
  static create(path: string, header: AnswerHeader): AnswerWriter {
    if (existsSync(path)) {
      throw new UserError(
        `Writing replies: ${path} is there already. Go on with it by --resume, or name another file.`,
      );
    }
    return explained(path, () => {
      mkdirSync(dirname(path), { recursive: true });
      const writer = new AnswerWriter(path, openSync(path, 'wx'));
      writer.append({ kind: KIND, version: 1, ...header });
      writer.isBare = true;
      return writer;
    });
  }

  /**
   * Continues a file, or begins it.
   * @param ids of the run's questions, in order
   * @returns also the replies to the first of them
   * @throws UserError when the file is of another run
   */
  static resume(path: string, header: AnswerHeader, ids: readonly string[]) {
    if (!existsSync(path)) return { writer: AnswerWriter.create(path, header), replies: [] };
    const { replies, end } = readReplies(path, header, ids);
    const writer = explained(path, () => {
      const handle = openSync(path, 'r+');
      ftruncateSync(handle, end);
      closeSync(handle);
      return new AnswerWriter(path, openSync(path, 'a'));
    });
    if (end === 0) writer.append({ kind: KIND, version: 1, ...header });
    return { writer, replies };
  }

  write(id: string, reply: string): void {
    explained(this.path, () => {
      this.append({ id, reply });
    });
    this.isBare = false;
  }

  /** A file that this writer has begun, and that holds no reply, is removed. A second call does nothing. */
  close(): void {
    if (this.file === null) return;
    closeSync(this.file);
    this.file = null;
    if (this.isBare) explained(this.path, () => unlinkSync(this.path));
  }

  private append(line: object): void {
    if (this.file === null) throw new Error(`AnswerWriter: ${this.path} is closed`);
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`, 'utf8');
    for (let at = 0; at < bytes.length;) at += writeSync(this.file, bytes, at);
    fsyncSync(this.file);
  }
}

/** Replies of complete lines, and the bytes that these take; none where a crash cut off the first line. */
function readReplies(path: string, wanted: AnswerHeader, ids: readonly string[]) {
  const replies: string[] = [];
  let end = 0;
  for (const line of readTextLines(path, 'replies of a model', LONGEST_LINE)) {
    if (line.end === null) break;
    const { value, source } = valueOf(path, line);
    if (line.number === 1) refuseOtherRun(path, readAs(HEADER, value, source), wanted);
    else {
      const { id, reply } = readAs(ANSWER, value, source);
      const expected = ids[replies.length];
      if (id !== expected) {
        const what = expected === undefined ? 'no further one is asked' : `the run asks "${expected}" there`;
        throw new UserError(`Resuming: ${source} answers the question "${id}", ${what}. Name another file.`);
      }
      replies.push(reply);
    }
    ({ end } = line as { end: number });
  }
  return { replies, end };
}

function valueOf(path: string, { number, text, fault }: TextLine): { value: unknown; source: string } {
  const source = `${path}, line ${number}`;
  if (fault !== null) throw new UserError(`Reading replies: ${source} cannot be read: ${fault}.`);
  try {
    return { value: JSON.parse(text) as unknown, source };
  } catch {
    throw new UserError(`Reading replies: ${source} is not valid JSON. The file is damaged there.`);
  }
}

function refuseOtherRun(path: string, { kind: _, version: __, ...found }: Read<typeof HEADER>, wanted: AnswerHeader) {
  const keys = Object.keys(found) as (keyof AnswerHeader)[];
  const first = keys.find((key) => found[key] !== wanted[key]);
  if (first === undefined) return;
  throw new UserError(
    `Resuming: ${path} is of another run: its ${first} is ${JSON.stringify(found[first])}, now it is ` +
      `${JSON.stringify(wanted[first])}. Use what the run was begun with, or name another file.`,
  );
}

function explained<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`Writing replies: ${path}: ${messageOf(error)}. Check the path and the free space.`);
  }
}
