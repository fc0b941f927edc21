/**
 * Facts of a dataset about one picture: what can be asked for and where it is. No system's words, no special tokens;
 * a system makes conversations of them (systems/system.ts).
 */
import type { BinaryMask } from '../types.js';
import type { DatasetKind } from './sampling/training-sample.js';
import type { Turn } from './text/conversation.js';

/** Something that can be asked for. */
export interface Target {
  /** An expression, the name of a class, or a whole sentence, as the dataset has it. */
  readonly text: string;
  readonly wording: 'expression' | 'class' | 'sentence';
  /** Binary mask at the picture's size; null: absent from the picture. */
  readonly mask: BinaryMask | null;
}

export interface Facts {
  readonly kind: DatasetKind;
  /** Size of the picture in pixels. */
  readonly height: number;
  readonly width: number;
  /** At least one, unless there are turns. Those of ReasonSeg share a mask. */
  readonly targets: readonly Target[];
  /** Why the targets are what is meant (ReasonSeg); null where the dataset does not explain. */
  readonly explanation: string | null;
  /** A dialogue in words alone (visual question answering), `<image>` in its first question. */
  readonly turns: readonly Turn[];
}
