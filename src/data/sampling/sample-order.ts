/**
 * The order in which samples are drawn: every epoch is a permutation of all samples, made from the seed and the epoch
 * alone. A position (samples drawn since the run began) is therefore all that a checkpoint has to keep.
 */
import type { Random } from '../../random.js';

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

  /** Epoch of a position, counted from 0. */
  epochOf(position: number): number {
    return Math.floor(position / this.sampleCount);
  }

  /** Which sample stands at a position. */
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
