/**
 * The lines of a file of records: as text and back.
 *
 *     {"kind":"gsva-records","version":1,"dataset":"grefcoco","split":"val", …}       once, at the head
 *     {"kind":"expression","protocol":"strict","imageId":7,"expression":"red circle", …}
 *     {"kind":"image","image":0,"imageId":7, …}                                       closes an image
 *
 * An image counts when its closing line is there; what stands after the last one is what a crash cut off.
 */
import { UserError } from '../../errors.js';
import { readTextLines } from '../../io/text-lines.js';
import { gsvaCommand } from '../../program.js';
import { integer, object, oneOf, readAs } from '../../schema.js';
import { RECORDED_WORDS } from '../../systems/recorded-words.js';
import { RECORD_HEADER, RECORD_VERSION, type RecordHeader } from './record.js';
import type { ImageRecord } from './record-types.js';

const HEADER = 'gsva-records';
const KIND = object({ kind: oneOf([HEADER, 'expression', 'image']) }).strip();
const VERSION = object({ version: integer({ min: RECORD_VERSION, max: RECORD_VERSION }) }).strip();
/** Far more than the runs of any mask take; bounds what a hostile file makes us hold. */
const LONGEST_LINE = 2 ** 26;

export function headerLine(header: RecordHeader): string {
  return `${JSON.stringify({ kind: HEADER, version: RECORD_VERSION, ...header })}\n`;
}

/** All lines of an image, the closing one last. */
export function imageLines({ records, ...image }: ImageRecord): string {
  const lines = records.map((record) =>
    JSON.stringify({ kind: 'expression', ...record, answer: RECORDED_WORDS[record.answer] }),
  );
  lines.push(JSON.stringify({ kind: 'image', ...image, expressions: records.length }));
  return `${lines.join('\n')}\n`;
}

/** A complete line of a file, without its line feed. */
export interface Line {
  /** From 1. */
  readonly number: number;
  readonly text: string;
  /** Bytes of the file up to and with its line feed. */
  readonly end: number;
}

/** Complete lines of a file. @throws UserError when it cannot be read, or a line is not UTF-8 or endless */
export function* linesOf(path: string): Generator<Line> {
  for (const { number, text, fault, end } of readTextLines(path, 'records of an evaluation', LONGEST_LINE)) {
    if (end === null) return;
    if (fault !== null) throw new UserError(`Reading records: line ${number} of ${path} cannot be read: ${fault}.`);
    yield { number, text, end };
  }
}

/** Whether a file holds nothing, or the begin of a header and nothing else: a run was cut off as it began. */
export function isBarelyBegun(path: string): boolean {
  const [first] = readTextLines(path, 'records of an evaluation', LONGEST_LINE);
  return first === undefined || (first.end === null && first.text.startsWith(`{"kind":"${HEADER}"`));
}

/** A line's value, its kind, and its place for errors. */
export function openLine(path: string, { number, text }: Line): { kind: string; value: unknown; source: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError(`Reading records: line ${number} of ${path} is not valid JSON. The file is damaged there.`);
  }
  const source = `${path}, line ${number}`;
  return { ...readAs(KIND, value, source), value, source };
}

export function readHeader(path: string, line: Line | undefined): RecordHeader {
  const advice = `Name a file that \`${gsvaCommand('eval … --records FILE')}\` has written.`;
  if (line === undefined) throw new UserError(`Reading records: ${path} is empty. ${advice}`);
  const { kind, value, source } = openLine(path, line);
  if (kind !== HEADER) throw new UserError(`Reading records: ${path} does not begin with a header. ${advice}`);
  readAs(VERSION, value, source);
  return readAs(RECORD_HEADER, value, source);
}
