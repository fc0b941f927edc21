/**
 * Facts of a dataset about one picture: what can be asked for and where it is. No system's words, no special tokens;
 * a system makes lessons of them (`Dialogue.lessons` in systems/system.ts).
 */
import type { BinaryMask } from '../types.js';
import type { Random } from '../random.js';
import type { Size } from './image/size-mismatch.js';
import type { Turn } from './text/conversation.js';

/** The kinds of the published mixture, in its order (reference: HybridDataset). */
export const DATASET_KINDS = ['sem_seg', 'refer_seg', 'vqa', 'reason_seg'] as const;
export type DatasetKind = (typeof DATASET_KINDS)[number];

/** Something that can be asked for. */
export interface Target {
  /** An expression, the name of a class, or a whole sentence, as the dataset has it. */
  readonly text: string;
  readonly wording: 'expression' | 'class' | 'sentence';
  /** Binary mask at the picture's size; null: absent from the picture. */
  readonly mask: BinaryMask | null;
}

/** Facts of a picture, with its size. */
export interface Facts extends Size {
  readonly kind: DatasetKind;
  /** At least one, unless there are turns. Those of ReasonSeg share a mask. */
  readonly targets: readonly Target[];
  /** Why the targets are what is meant (ReasonSeg); null where the dataset does not explain. */
  readonly explanation: string | null;
  /** A dialogue in words alone (visual question answering), `<image>` in its first question; empty elsewhere. */
  readonly turns: readonly Turn[];
}

/** A conversation to learn from: the n-th decision token of its answers is about the n-th target. */
export interface Lesson {
  /** Questions and answers; the first question has the picture in it. */
  readonly turns: readonly Turn[];
  /** `mask` is null where the answer says "absent" by a token. */
  readonly targets: readonly Pick<Target, 'text' | 'mask'>[];
}

/** Facts of a picture with targets alone. */
export function targetFacts(kind: DatasetKind, { height, width }: Size, targets: readonly Target[]): Facts {
  return { kind, height, width, targets, explanation: null, turns: [] };
}

/** Conversations of a system about facts; all chance comes from `random`. @throws UserError for what cannot be asked */
export type MakeLessons = (facts: Facts, random: Random) => readonly Lesson[];
