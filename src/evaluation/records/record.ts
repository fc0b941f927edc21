/**
 * Records of an evaluation by expression: enough to recompute every figure, resume, join shards, compare runs and draw
 * failures. No pixels of images; masks are COCO's compressed runs.
 */
import { rleFromString } from '../../data/masks/coco-mask.js';
import { UserError } from '../../errors.js';
import { alsoCheck, flag, integer, list, number, object, oneOf, type Read, text } from '../../schema.js';
import { RECORDED_WORDS } from '../../systems/recorded-words.js';
import { BENCHMARK_NAMES } from '../benchmarks/benchmarks.js';
import { WORDINGS } from '../figures.js';
import { GRES_PROTOCOLS } from '../metrics/gres-score.js';
import type { ImageRecord, Shard } from './record-types.js';

/** Raised when the meaning of a line changes. */
export const RECORD_VERSION = 2;

const COUNT = integer({ min: 0 });
const SHARE = number({ min: 0, max: 1 });
const DATE = text().refine((date) => !Number.isNaN(Date.parse(date)), { error: 'a date' });
const PROTOCOL = oneOf(GRES_PROTOCOLS);
const ANSWERS = ['found', 'absent', 'none'] as const;

const SHARD = object({ index: COUNT, count: integer({ min: 1 }) }).strip();

export const WHOLE: Shard = { index: 0, count: 1 };

/** First line of a file of records. */
export const RECORD_HEADER = object({
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
/** Identity of a run. Two files belong together when all but `checkpoint` agrees: one model has many paths. */
export type RunIdentity = Omit<RecordHeader, 'shard' | 'date'>;

/** One expression under one protocol. */
export const EXPRESSION_RECORD = object({
  protocol: PROTOCOL,
  imageId: integer(),
  fileName: text(),
  height: integer({ min: 1 }),
  width: integer({ min: 1 }),
  index: COUNT,
  expression: text(),
  targets: COUNT,
  answer: oneOf(Object.values(RECORDED_WORDS)).transform((word) => {
    return ANSWERS.find((answer) => RECORDED_WORDS[answer] === word) ?? 'none';
  }),
  rejectProbability: SHARE.nullable().default(null),
  score: SHARE,
  targetIsEmpty: flag(),
  decisionIsRight: flag(),
  iou: SHARE,
  intersection: COUNT,
  union: COUNT,
  targetArea: COUNT,
  predictedArea: COUNT,
  boxIou: SHARE.nullable().default(null),
  wording: oneOf(WORDINGS).optional(),
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

export const REFUSAL_REASONS = ['bad image', 'too large', 'cannot be asked'] as const;

const REPLY = object({ protocol: PROTOCOL, question: text(), answer: text() }).strip();

const FAULTS = object({ unknown: COUNT, repeated: COUNT, unanswered: COUNT }).strip();

const REFUSAL = object({
  index: COUNT.nullable().default(null),
  expression: text().nullable().default(null),
  reason: oneOf(REFUSAL_REASONS),
  message: text(),
}).strip();

/** Line that closes an image. */
export const CLOSING_LINE = object({
  /** Its place in the split. */
  image: COUNT,
  imageId: integer(),
  fileName: text(),
  /** 0 for an image that could not be opened. */
  height: COUNT,
  width: COUNT,
  /** Wall time since the image before it was done. */
  seconds: number({ min: 0 }),
  /** When it was done, ISO 8601. */
  date: DATE,
  replies: list(REPLY),
  /** Null where no free answer was asked for. */
  faults: FAULTS.nullable().default(null),
  refused: list(REFUSAL),
  /** Lines that belong to the image. */
  expressions: COUNT,
}).strip();
export type ClosingLine = Read<typeof CLOSING_LINE>;

export interface RecordFile {
  readonly path: string;
  readonly header: RecordHeader;
  readonly images: readonly ImageRecord[];
}

/** How many images of `images` belong to a shard. */
export function shardSize(images: number, { index, count }: Shard): number {
  return Math.max(0, Math.ceil((images - index) / count));
}

/** Keys in which two runs differ, with both values. */
export function identityDifferences(
  a: RunIdentity,
  b: RunIdentity,
): { readonly key: keyof RunIdentity; readonly values: readonly [string, string] }[] {
  return IDENTITY_KEYS.flatMap((key) => {
    const values = [JSON.stringify(a[key]), JSON.stringify(b[key])] as const;
    return values[0] === values[1] ? [] : [{ key, values }];
  });
}

const IDENTITY_KEYS = [
  'dataset',
  'split',
  'benchmark',
  'question',
  'protocols',
  'images',
  'batch',
  'model',
  'configDigest',
  'weightsDigest',
  'rejectThreshold',
  'minimumPixels',
  'honourIgnore',
  'engine',
] as const satisfies readonly (keyof RunIdentity)[];
