/** The order in which a run takes the items of its sets: whole epochs, a mixture by weights, or repeated lists. */
import type { Random } from '../../random.js';
import { repeatedLength, RepeatedLists, type Repetition } from './repeated-lists.js';
import {
  type AnySet,
  imagesOf,
  type KindWeights,
  MixedSampler,
  type SampleSource,
  WholeEpochs,
} from './sample-source.js';

/** Sets and their order; without weights and repetition every image comes once in an epoch. */
export interface OrderedSets {
  readonly sets: readonly AnySet[];
  /** Shares of the kinds in a mixture; null: none is drawn. */
  readonly weights: KindWeights | null;
  /** How the sets are repeated; only without weights. */
  readonly repetition?: Repetition;
}

/** @param random seed, not moved @throws UserError for sets that cannot be used in this order */
export function sourceOf({ sets, weights, repetition }: OrderedSets, random: Random): SampleSource {
  if (repetition !== undefined) return new RepeatedLists(sets, random, repetition);
  return weights === null ? new WholeEpochs(sets, random) : new MixedSampler(sets, random, weights);
}

/** Samples that count as an epoch. @throws UserError where there is no set, or one without images */
export function epochLengthOf({ sets, repetition }: OrderedSets): number {
  return repetition === undefined ? imagesOf(sets) : repeatedLength(sets, repetition.rates);
}
