/**
 * Records of an evaluation by expression: enough to recompute every figure, resume, join shards, compare runs and draw
 * failures. No pixels of images; masks are COCO's compressed runs.
 */
import type { BenchmarkName } from '../benchmarks/benchmarks.js';
import type { FigureRecord } from '../figures.js';
import type { Answer, GresProtocol } from '../metrics/gres-score.js';
import type { OtherTarget } from '../metrics/other-target.js';

/** Raised when the meaning of a line changes. */
export const RECORD_VERSION = 2;

/** Image k of a split belongs to the shard `index` = k mod `count`. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

export const WHOLE: Shard = { index: 0, count: 1 };

/** Identity of a run. Two files belong together when all but `checkpoint` agrees: one model has many paths. */
export interface RunIdentity {
  readonly dataset: string;
  readonly split: string;
  /** Which figures are reported of it. */
  readonly benchmark: BenchmarkName;
  /** How expressions are asked for, where the dataset does not prescribe it; 'default': by each protocol's own form. */
  readonly question: string;
  /** At least one, each once. */
  readonly protocols: readonly GresProtocol[];
  /** Images of the split that the whole run goes through, over all shards. */
  readonly images: number;
  readonly batch: number;
  /** The model in words: stage of training and description. */
  readonly model: string;
  /** SHA-256 of the model's sizes. */
  readonly configDigest: string;
  /** Folder or file that the model was read from. */
  readonly checkpoint: string;
  /** SHA-256 over the files of its weights. */
  readonly weightsDigest: string;
  /** Absent from this probability on; null where the most probable token decides. */
  readonly rejectThreshold: number | null;
  /** A mask of fewer pixels counts as absent; 0 where none does. */
  readonly minimumPixels: number;
  /** ReasonSeg: whether ignored regions are left out of the judgement; as published, they belong to the target. */
  readonly honourIgnore: boolean;
  readonly engine: string;
}

/** First line of a file of records. */
export interface RecordHeader extends RunIdentity {
  readonly shard: Shard;
  /** When the run began, ISO 8601. */
  readonly date: string;
}

/** One expression under one protocol. */
export interface ExpressionRecord extends FigureRecord {
  readonly protocol: GresProtocol;
  readonly imageId: number;
  readonly fileName: string;
  readonly height: number;
  readonly width: number;
  /** Place among the image's expressions. */
  readonly index: number;
  /** How many objects the expression refers to, by the dataset's annotations; 0 where nothing fits. */
  readonly targets: number;
  readonly answer: Answer;
  readonly rejectProbability: number | null;
  /** Mean sigmoid of the mask's logits inside it; 0 without a mask. */
  readonly score: number;
  /** Pixels. */
  readonly targetArea: number;
  /** Wrong pixels that lie within a few pixels of the target's contour; null without a target or a mask. */
  readonly boundaryErrors: number | null;
  /** The other target that the prediction covers best; null where it covers none. */
  readonly other: OtherTarget | null;
  /** The scored mask as compressed counts; null where there was none. */
  readonly mask: string | null;
}

/** A question and its answer under a protocol; an image has several where not all of its expressions fit into one. */
export interface RecordedReply {
  readonly protocol: GresProtocol;
  readonly question: string;
  readonly answer: string;
}

/** Where a free answer went past its question, in decisions or expressions. */
export interface RecordedFaults {
  readonly unknown: number;
  readonly repeated: number;
  readonly unanswered: number;
}

export const REFUSAL_REASONS = ['bad image', 'too large', 'cannot be asked'] as const;

/** An omission: it plays no part in any figure. */
export interface Refusal {
  /** Place of the expression; null for the whole image. */
  readonly index: number | null;
  readonly expression: string | null;
  /** 'bad image': missing or damaged; 'cannot be asked': the expression alone is too long for the model, or reserved. */
  readonly reason: (typeof REFUSAL_REASONS)[number];
  readonly message: string;
}

export interface RefusalCounts {
  readonly images: number;
  readonly expressions: number;
  /** Those that occur. */
  readonly reasons: Readonly<Partial<Record<Refusal['reason'], number>>>;
}

/** An image that is done. */
export interface ImageRecord {
  /** Its place in the split. */
  readonly image: number;
  readonly imageId: number;
  readonly fileName: string;
  /** 0 for an image that could not be opened. */
  readonly height: number;
  readonly width: number;
  /** Wall time since the image before it was done. */
  readonly seconds: number;
  /** When it was done, ISO 8601. */
  readonly date: string;
  readonly replies: readonly RecordedReply[];
  /** Null where no free answer was asked for. */
  readonly faults: RecordedFaults | null;
  readonly refused: readonly Refusal[];
  /** Protocol after protocol, each in the order of the expressions. */
  readonly records: readonly ExpressionRecord[];
}

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
