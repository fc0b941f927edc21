/**
 * Records of an evaluation by expression: enough to recompute every figure, resume, join shards, compare runs and draw
 * failures. No pixels of images; masks are COCO's compressed runs. A file of records has lines:
 *
 *     {"kind":"gsva-records","version":1,"dataset":"grefcoco","split":"val", …}       once, at the head
 *     {"kind":"expression","protocol":"strict","imageId":7,"expression":"red circle", …}
 *     {"kind":"image","image":0,"imageId":7, …}                                       closes an image
 *
 * An image counts when its closing line is there; what stands after the last one is what a crash cut off.
 */
import { rleFromString } from '../../data/masks/coco-mask.js';
import { UserError } from '../../errors.js';
import { readTextLines } from '../../io/text-lines.js';
import { gsvaCommand } from '../../program.js';
import { alsoCheck, flag, integer, list, number, object, oneOf, type Read, readAs, text } from '../../schema.js';
import { RECORDED_WORDS } from '../../systems/recorded-words.js';
import { BENCHMARK_NAMES } from '../benchmarks/benchmarks.js';
import { WORDINGS } from '../figures.js';
import { GRES_PROTOCOLS } from '../metrics/gres-score.js';
import type { ImageRecord, Shard } from './record-types.js';

const COUNT = integer({ min: 0 });
const SHARE = number({ min: 0, max: 1 });
const DATE = text().refine((date) => !Number.isNaN(Date.parse(date)), { error: 'a date' });
const PROTOCOL = oneOf(GRES_PROTOCOLS);
const ANSWERS = ['found', 'absent', 'none'] as const;
const SHARD = object({ index: COUNT, count: integer({ min: 1 }) }).strip();
export const WHOLE: Shard = { index: 0, count: 1 };

/** First line of a file of records. */
const RECORD_HEADER = object({
  dataset: text(),
  split: text(),
  /** Which figures are reported of it. */
  benchmark: oneOf(BENCHMARK_NAMES),
  /** How expressions are asked for, where the dataset does not prescribe it; 'default': by each protocol's own form. */
  question: text(),
  protocols: list(PROTOCOL).refine((all) => all.length > 0 && new Set(all).size === all.length, {
    error: 'one protocol or several different ones',
  }),
  /** Images of the split that the whole run goes through, over all shards. */
  images: COUNT,
  batch: integer({ min: 1 }),
  /** The model in words: stage of training and description. */
  model: text(),
  /** SHA-256 of the model's sizes. */
  configDigest: text(),
  /** Folder or file that the model was read from. */
  checkpoint: text(),
  /** SHA-256 over the files of its weights. */
  weightsDigest: text(),
  /** Absent from this probability on; null where the most probable token decides. */
  rejectThreshold: SHARE.nullable().default(null),
  /** A mask of fewer pixels counts as absent; 0 where none does. */
  minimumPixels: COUNT,
  /** ReasonSeg: whether ignored regions are left out of the judgement; as published, they belong to the target. */
  honourIgnore: flag(),
  engine: text(),
  shard: SHARD,
  /** When the run began, ISO 8601. */
  date: DATE,
})
  .strip()
  .superRefine(
    alsoCheck(({ shard: { index, count } }, refuse) => {
      if (index >= count) refuse('shard.index', `a whole number from 0 to ${count - 1}`);
    }),
  );
export type RecordHeader = Read<typeof RECORD_HEADER>;

/** One expression under one protocol. */
export const EXPRESSION_RECORD = object({
  protocol: PROTOCOL,
  imageId: integer(),
  fileName: text(),
  height: integer({ min: 1 }),
  width: integer({ min: 1 }),
  index: COUNT,
  expression: text(),
  targetIsEmpty: flag(),
  decisionIsRight: flag(),
  iou: SHARE,
  intersection: COUNT,
  union: COUNT,
  predictedArea: COUNT,
  boxIou: SHARE.nullable().default(null),
  wording: oneOf(WORDINGS).optional(),
  targets: COUNT,
  answer: oneOf(Object.values(RECORDED_WORDS)).transform((word) => {
    return ANSWERS.find((answer) => RECORDED_WORDS[answer] === word) ?? 'none';
  }),
  rejectProbability: SHARE.nullable().default(null),
  score: SHARE,
  targetArea: COUNT,
  boundaryErrors: COUNT.nullable().default(null),
  other: object({ expression: COUNT, share: SHARE }).strip().nullable().default(null),
  mask: text().nullable().default(null),
})
  .strip()
  .superRefine(
    alsoCheck(({ mask, height, width }, refuse) => {
      try {
        if (mask !== null) rleFromString(mask, height, width);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        refuse('mask', `the runs of a mask of ${height} × ${width} pixels (${error.message})`);
      }
    }),
  );

const REPLY = object({ protocol: PROTOCOL, question: text(), answer: text() }).strip();
const FAULTS = object({ unknown: COUNT, repeated: COUNT, unanswered: COUNT }).strip();
const REFUSAL = object({
  index: COUNT.nullable().default(null),
  expression: text().nullable().default(null),
  reason: oneOf(['bad image', 'too large', 'cannot be asked']),
  message: text(),
}).strip();

/** Line that closes an image: an `ImageRecord` with the number of its expressions' lines. */
export const CLOSING_LINE = object({
  image: COUNT,
  imageId: integer(),
  fileName: text(),
  height: COUNT,
  width: COUNT,
  seconds: number({ min: 0 }),
  date: DATE,
  replies: list(REPLY),
  faults: FAULTS.nullable().default(null),
  refused: list(REFUSAL),
  expressions: COUNT,
}).strip();

export interface RecordFile {
  readonly path: string;
  readonly header: RecordHeader;
  readonly images: readonly ImageRecord[];
}

/** How many images of `images` belong to a shard. */
export function shardSize(images: number, { index, count }: Shard): number {
  return Math.max(0, Math.ceil((images - index) / count));
}

/**
 * Keys in which two runs differ, with both values. Two files belong together when all agrees but shard, date, and
 * `checkpoint`: one model has many paths.
 */
export function identityDifferences(a: RecordHeader, b: RecordHeader) {
  return (Object.keys(RECORD_HEADER.shape) as (keyof RecordHeader)[])
    .filter((key) => !['checkpoint', 'shard', 'date'].includes(key))
    .map((key) => ({ key, values: [a, b].map((header) => JSON.stringify(header[key])) }))
    .filter(({ values }) => values[0] !== values[1]);
}

const HEADER = 'gsva-records';
const KIND = object({ kind: oneOf([HEADER, 'expression', 'image']) }).strip();
/** Raised when the meaning of a line changes. */
const RECORD_VERSION = 2;
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
