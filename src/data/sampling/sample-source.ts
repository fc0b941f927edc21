/**
 * Image of each position of a run, by seed and position alone: the same on any number of workers and after a resume.
 */
import { UserError } from '../../errors.js';
import type { Random } from '../../random.js';
import type { TrainingSet } from './training-sample.js';

export class SampleOrder {
  private readonly epochs: Random;
  private readonly draws: Random;
  private cachedEpoch = -1;
  private permutation: readonly number[] = [];

  constructor(
    readonly sampleCount: number,
    random: Random,
  ) {
    this.epochs = random.fork(0);
    this.draws = random.fork(1);
  }

  epochOf(position: number): number {
    return Math.floor(position / this.sampleCount);
  }

  indexAt(position: number): number {
    const epoch = this.epochOf(position);
    if (epoch !== this.cachedEpoch) {
      const all = Array.from({ length: this.sampleCount }, (_, index) => index);
      this.permutation = this.epochs.fork(epoch).shuffle(all);
      this.cachedEpoch = epoch;
    }
    return this.permutation[position % this.sampleCount] as number;
  }

  /** The generator that belongs to the draw at a position: the same sample is prepared differently in each epoch. */
  randomAt(position: number): Random {
    return this.draws.fork(position);
  }
}

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

export class WholeEpochs implements SampleSource {
  readonly epochLength: number;
  /** Another image instead would come twice in its epoch. */
  readonly keepsImage = true;
  private readonly order: SampleOrder;

  /** @throws UserError where there is no set, or one without images */
  constructor(
    private readonly sets: readonly AnySet[],
    random: Random,
  ) {
    this.epochLength = imagesOf(sets);
    this.order = new SampleOrder(this.epochLength, random);
  }

  draw(position: number, attempt: number): SampleDraw {
    let index = this.order.indexAt(position);
    const first = this.order.randomAt(position);
    const random = attempt === 0 ? first : first.fork(attempt);
    for (const set of this.sets) {
      if (index < set.length) return { set, index, random };
      index -= set.length;
    }
    throw new RangeError(`WholeEpochs.draw: no image at position ${position}`);
  }
}
