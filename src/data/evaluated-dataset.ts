/** Evaluation data: the images of a split, each with its expressions and their true masks. */
import type { ReferringImage } from './refer/refer-dataset.js';
import type { BinaryMask, ReferringTarget } from '../types.js';

/** Ways to ask that a dataset prescribes: about one thing at a time, by its wording. */
export type PrescribedForm = 'reason-sentence' | 'reason-phrase' | 'class';

export interface EvaluatedTarget extends ReferringTarget {
  readonly form?: PrescribedForm;
  /** Ignored pixels: excluded from intersection and union. Disjoint from `mask`. */
  readonly ignored?: BinaryMask;
}

/** `ReferDataset` and `OwnData` have it. */
export interface EvaluatedDataset {
  readonly images: readonly ReferringImage[];
  /** One per expression of the image, in order. Called when the image's turn comes. */
  targets(image: ReferringImage): readonly EvaluatedTarget[];
}
