/**
 * Image of each position of a run, by seed and position alone: the same on any number of workers and after a resume.
 */
import { UserError } from '../../errors.js';
import type { Random } from '../../random.js';
import type { TrainingSet } from './training-sample.js';

/** A set of any kind: what its requests have beyond the common part is between it and the maker of its samples. */
export type AnySet = TrainingSet;

export interface SampleDraw {
  readonly set: AnySet;
  /** Image within the set. */
  readonly index: number;
  /** The generator of everything else that is drawn for this attempt. */
  readonly random: Random;
}

export interface SampleSource {
  /** Images of all sets: the positions that count as an epoch. */
  readonly epochLength: number;
  /** Whether every attempt at a position is about the same image (whole epochs), or each about another (mixtures). */
  readonly keepsImage: boolean;
  /** @param attempt 0, then 1, 2, … where the attempts before gave no sample */
  draw(position: number, attempt: number): SampleDraw;
}

/** The sum of the sets' lengths. @throws UserError where there is no set, or one without images */
export function imagesOf(sets: readonly AnySet[]): number {
  if (sets.length === 0) throw new UserError('Training data: no data set is given; name at least one.');
  const empty = sets.find((set) => set.length === 0);
  if (empty !== undefined) {
    throw new UserError(`Training data: the set "${empty.name}" has no images; check its folder or leave it out.`);
  }
  return sets.reduce((sum, set) => sum + set.length, 0);
}
