/**
 * Reader of a user's own data, line by line. Problems are collected with the numbers of their lines: a converter
 * usually makes the same mistake many times.
 */
import { basename, dirname } from 'node:path';
import { UserError, messageOf } from '../../errors.js';
import { fileOpener, readPart } from '../../io/byte-source.js';
import { readImageSize } from '../../io/image/image-file.js';
import { notUtf8 } from '../../io/text-encoding.js';
import { NOT_UTF8_LINE, readTextLines } from '../../io/text-lines.js';
import type { Size } from '../image/size-mismatch.js';
import { type OwnExpression, type OwnRecord, type OwnSplit, ownFinder, parseOwnLine } from './own-data-line.js';
import type { MaskSource } from '../masks/coco-mask-annotation.js';

/** A polygon of a million points has less. */
const LONGEST_LINE = 32 * 2 ** 20;
/** Image headers read at the same time. */
const HEADERS_AT_ONCE = 32;
const LOOKED_AT = 1 << 20;
const WHAT_FOR = 'your data as JSON lines';

/** All lines of the file about an image; `line` is the first. */
export interface OwnImage extends Omit<OwnRecord, 'split' | 'size'>, Size {
  readonly split: OwnSplit;
  /** Number of the line with its size; of the first line without one. */
  readonly sizeLine: number;
  /** Expressions of all its lines, in order, each with the number of its own. */
  readonly expressions: readonly (OwnExpression & { readonly line: number })[];
}

/** The problems of the first lines, in the order of lines, and how many there are in all. */
export class OwnProblems {
  /** Each message begins with file and line. */
  readonly first: { readonly line: number; readonly message: string }[] = [];
  total = 0;

  constructor(private readonly kept: number) {}

  add(line: number, message: string): void {
    this.total++;
    const after = this.first.findIndex((problem) => problem.line > line);
    if (after >= 0) this.first.splice(after, 0, { line, message });
    else this.first.push({ line, message });
    if (this.first.length > this.kept) this.first.pop();
  }
}

/** "data.jsonl, line 17" */
export function placeOf(file: string, line: number): string {
  return `${basename(file)}, line ${line}`;
}

/**
 * All images of the file, in the order of the lines that name them first, each once with all its lines, so that
 * training meets it once in an epoch. Lines with problems are left out.
 * @throws UserError where the file itself cannot be read
 */
export async function readOwnFile(
  file: string,
  problems: OwnProblems,
): Promise<{
  readonly images: readonly OwnImage[];
  /** Whether any line names a split; the others are then of train. */
  readonly hasSplits: boolean;
}> {
  const records = readRecords(file, problems);
  const merged = merge(records, file, problems);
  await readSizes(merged, file, problems);
  const images: OwnImage[] = [];
  for (const { first, size, sizeLine, expressions } of merged) {
    if (size === null) continue;
    const wrong = expressions.find(({ masks }) => sizeFault(masks, size) !== null);
    if (wrong === undefined) images.push({ ...first, ...size, sizeLine, expressions, split: first.split ?? 'train' });
    else {
      const fault = sizeFault(wrong.masks, size);
      problems.add(wrong.line, `${placeOf(file, wrong.line)}: ${first.image}: ${fault}`);
    }
  }
  return { images, hasSplits: records.some(({ split }) => split !== null) };
}

function readRecords(file: string, problems: OwnProblems): OwnRecord[] {
  const records: OwnRecord[] = [];
  const finder = ownFinder(dirname(file));
  for (const { number, text, fault } of readTextLines(file, WHAT_FOR, LONGEST_LINE)) {
    const place = placeOf(file, number);
    if (fault !== null) {
      problems.add(number, `${place}: ${fault === NOT_UTF8_LINE ? notUtf8(beginningOf(file), file) : fault}.`);
    } else if (text.trim() !== '') {
      try {
        records.push(parseOwnLine(parseJson(text, place), number, dirname(file), place, finder));
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        problems.add(number, error.message);
      }
    }
  }
  return records;
}

/** Enough of the file to tell its encoding. */
function beginningOf(file: string): Buffer {
  return fileOpener(file, WHAT_FOR)((source) => readPart(source, 0, Math.min(source.size, LOOKED_AT)));
}

function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    // The parser counts lines of its own, of which this is always the first.
    const reason = messageOf(error)
      .replace(/\s+/g, ' ')
      .replace(/ at position (\d+)(?: \(line \d+ column \d+\))?/, (_, at) => ` at column ${Number(at) + 1}`)
      .slice(0, 200);
    throw new UserError(`${place}: not valid JSON (${reason}); each line holds one object, {"image": …}.`);
  }
}

/** The lines of each image; those that contradict an earlier one are problems. */
function merge(records: readonly OwnRecord[], file: string, problems: OwnProblems): JoinedLines[] {
  const byPath = new Map<string, JoinedLines>();
  for (const record of records) {
    const joined = byPath.get(record.path) ?? new JoinedLines(record);
    byPath.set(record.path, joined);
    const fault = joined.add(record);
    if (fault !== null) problems.add(record.line, `${placeOf(file, record.line)}: ${record.image}: ${fault}.`);
  }
  return [...byPath.values()].filter(({ expressions }) => expressions.length > 0);
}

/** The lines about one image. */
class JoinedLines {
  readonly expressions: OwnImage['expressions'][number][] = [];
  size: Size | null;
  sizeLine: number;
  /** Presence of each expression, in lower case, in the image. */
  private readonly isThere = new Map<string, boolean>();

  constructor(readonly first: OwnRecord) {
    this.size = first.size;
    this.sizeLine = first.line;
  }

  /** @returns what does not agree with the lines before; nothing of the line is taken then */
  add({ line, split, size, expressions }: OwnRecord): string | null {
    const { first } = this;
    const [here, there] = [split ?? 'train', first.split ?? 'train'];
    if (here !== there) return `it is in the split "${here}" here and in "${there}" on line ${first.line}`;
    if (size !== null && this.size !== null && (size.height !== this.size.height || size.width !== this.size.width)) {
      return `it is ${describe(size)} here and ${describe(this.size)} on an earlier line`;
    }
    for (const { text, masks } of expressions) {
      const key = text.toLowerCase();
      // The same words cannot be there and not be there.
      if ((this.isThere.get(key) ?? masks.length > 0) !== masks.length > 0) {
        return `${JSON.stringify(text)} has a mask and is null, too`;
      }
      this.isThere.set(key, masks.length > 0);
    }
    if (this.size === null && size !== null) [this.size, this.sizeLine] = [size, line];
    for (const expression of expressions) this.expressions.push({ ...expression, line });
    return null;
  }
}

/** Sizes from the images, for lines without them. */
async function readSizes(merged: readonly JoinedLines[], file: string, problems: OwnProblems): Promise<void> {
  const unknown = merged.filter(({ size }) => size === null);
  for (let start = 0; start < unknown.length; start += HEADERS_AT_ONCE) {
    const read = unknown.slice(start, start + HEADERS_AT_ONCE).map(async (joined) => {
      try {
        joined.size = await readImageSize(joined.first.path);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        problems.add(joined.first.line, `${placeOf(file, joined.first.line)}: ${error.message}`);
      }
    });
    await Promise.all(read);
  }
}

/** Mismatch between the run-length encodings and the image. */
function sizeFault(masks: readonly MaskSource[], { height, width }: Size): string | null {
  for (const mask of masks) {
    const size = 'segmentation' in mask ? (mask.segmentation as { size?: readonly number[] }).size : undefined;
    if (size !== undefined && (size[0] !== height || size[1] !== width)) {
      return `an encoding is of size [${size.join(', ')}], the image of [${height}, ${width}] ([height, width]).`;
    }
  }
  return null;
}

function describe({ height, width }: Size): string {
  return `${width} × ${height} (width × height)`;
}
