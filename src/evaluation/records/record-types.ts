/** Types of an evaluation's records (record.ts), as the library gives them to a program. */
import type { FigureRecord, FigureValues } from '../figures.js';
import type { Answer, GresProtocol } from '../metrics/gres-score.js';

/** Image k of a split belongs to the shard `index` = k mod `count`. */
export interface Shard {
  readonly index: number;
  readonly count: number;
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
  /**
   * The other target that the prediction covers best, by its place in the image's list, and the share of its pixels
   * outside of one's own target that is covered, in (0, 1]; null where it covers none.
   */
  readonly other: { readonly expression: number; readonly share: number } | null;
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

/** An omission: it plays no part in any figure. */
export interface Refusal {
  /** Place of the expression; null for the whole image. */
  readonly index: number | null;
  readonly expression: string | null;
  /** 'bad image': missing or damaged; 'cannot be asked': the expression alone is too long for the model, or reserved. */
  readonly reason: 'bad image' | 'too large' | 'cannot be asked';
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

/** The figures of a benchmark, and those of GRES, which every run has. */
export interface Result {
  readonly protocol: GresProtocol;
  /** Fractions of 1; null where no expression decides the figure. */
  readonly gIoU: number | null;
  readonly cIoU: number | null;
  readonly N_acc: number | null;
  readonly T_acc: number | null;
  readonly expressions: number;
  readonly presentTargets: number;
  readonly absentTargets: number;
  readonly figures: FigureValues;
}

/** Result of a protocol on a number of images. */
export interface RecordedResult extends Result {
  readonly images: number;
}
