/** Questions about pictures and what is answered: the types of the library, plain data and functions. */
import type { Abortable } from '../abortable.js';
import type {
  EmptyMask,
  Rejected,
  RgbImage,
  Segmented,
  SegmentResult,
  SegmentStatus,
  UnmatchedPart,
} from '../types.js';

/** A path, the bytes of an image file (JPEG, PNG, WebP, …), or decoded pixels. */
export type ImageSource = string | Uint8Array | RgbImage;

/** Question and answer, and what the answer says. */
export interface Answer {
  /** The user's turn, `<image>` in it; where every expression is asked on its own, a line for each. */
  readonly question: string;
  /** The model's turn; [SEG] and [REJ] as it decided. */
  readonly answer: string;
  /** One per expression, in order. */
  readonly results: readonly SegmentResult[];
  /** Parts of a freely written answer that match no expression, with their masks; none where its form is given. */
  readonly unmatched: readonly UnmatchedPart[];
}

/** Which model answered, and what it knows. */
export interface AnsweringModel {
  /** Its folder (relative to the package for the package's own), or the file of its weights. */
  readonly name: string;
  /** Subjects that its answers can be trusted on ("coloured shapes only"); null where its folder names none. */
  readonly knows: string | null;
}

/** Something that a free answer decided: found, with its mask, or absent. */
export type ReplyPart = (Segmented | EmptyMask | Rejected) & {
  /** Text that the model wrote before the decision, since the one before it. */
  readonly text: string;
};

/** The result of `reply`. */
export interface FreeReply {
  readonly question: string;
  /** The model's words, its decision tokens ([SEG], [REJ]) among them. */
  readonly answer: string;
  /** Its decisions in order; empty for an answer in words alone. */
  readonly parts: readonly ReplyPart[];
  readonly model: AnsweringModel;
}

/** The result of `segment`. */
export interface Reply extends Answer {
  readonly model: AnsweringModel;
}

/** Options of `encode`. */
export interface EncodeOptions {
  /** Heard after every layer of the networks; on a GPU, while a single token is computed, after the token. */
  readonly signal?: Abortable | undefined;
}

/** Options of `reply`. */
export interface ReplyOptions extends EncodeOptions {
  /** New tokens at most, from 1 up; default 128. */
  readonly maxTokens?: number | undefined;
}

/** Options of `segment`. */
export interface SegmentOptions extends EncodeOptions {
  /** 'ask' (the default): the answer's form is given, the model decides; 'generate': it writes freely. */
  readonly mode?: 'ask' | 'generate' | undefined;
  /** [REJ] from this probability on, in [0, 1]; default: the model's own threshold, else the more probable. */
  readonly rejectThreshold?: number | undefined;
  /** New tokens at most, from 1 up; of mode 'generate' alone (default: 32, and 32 per expression). */
  readonly maxTokens?: number | undefined;
}

/** Meanings of the statuses, for people: printed under tables, in docs/api.md. */
export const STATUS_MEANING: Readonly<Record<SegmentStatus, string>> = {
  segmented: 'found; pixels, box and score are those of its mask',
  'empty-mask': 'the model wrote [SEG], but its mask has no pixel: neither found nor rejected',
  rejected: 'by the model, nothing in the picture fits',
  'no-seg-token': 'the answer that the model wrote has no [SEG] and no [REJ] for it',
};

/** "checkpoints/tiny: coloured shapes only", or the name alone. */
export function modelSentence({ name, knows }: AnsweringModel): string {
  return knows === null ? name : `${name}: ${knows}`;
}
