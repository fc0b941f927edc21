/** Order of samples: each epoch permutes all by seed and epoch alone, so a position is all that a checkpoint keeps. */
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
