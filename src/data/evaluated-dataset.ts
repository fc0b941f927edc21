/** What is evaluated on: the images of a split, each with its expressions and their true masks. */
import type { QuestionForm } from './text/question-forms.js';
import type { ReferringImage } from './refer/refer-dataset.js';
import type { BinaryMask, ReferringTarget } from '../types.js';

export interface EvaluatedTarget extends ReferringTarget {
  /** How it is asked for, where the dataset prescribes it. */
  readonly form?: QuestionForm;
  /** Pixels that are no one's business: neither target nor mistake. None in common with `mask`. */
  readonly ignored?: BinaryMask;
}

/** `ReferDataset` and `OwnData` have it. */
export interface EvaluatedDataset {
  readonly images: readonly ReferringImage[];
  /** One per expression of the image, in order. Called when the image's turn comes. */
  targets(image: ReferringImage): readonly EvaluatedTarget[];
}
