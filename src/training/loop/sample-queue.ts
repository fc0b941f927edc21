/** The samples of a run in the order of their positions, prepared ahead; those that cannot be used are passed over. */
import { UserError } from '../../errors.js';
import type { Random } from '../../random.js';
import { Prefetcher } from './prefetcher.js';
import type { SampleStream, TrainingTask } from './training-task.js';

/** Where the samples of the updates come from. */

export interface SampleSupply<Sample> {
  /** Position behind the samples of all finished updates: where a resumed run goes on. */
  readonly position: number;

  /** The next sample of this process; the caller owns it. */
  next(): Promise<Sample>;

  /** All samples of an update have been taken; of several ranks, all call it. */
  endUpdate(): Promise<void>;

  /** Releases what is prepared and ends what loads the samples. */
  close(): Promise<void>;
}

/** This many passed over in a row are not a few bad files. */
const MOST_PASSED_OVER = 1000;

export class SampleQueue<Sample> implements SampleSupply<Sample> {
  private readonly stream: SampleStream<Sample>;
  private readonly prefetcher: Prefetcher<Sample | null>;

  /**
   * @param random seed of order and draws @param position of the first sample @param count samples needed at most
   * @param depth samples in preparation or ready, at least 1 @param report takes a line for the person watching
   */
  constructor(
    task: TrainingTask<Sample>,
    random: Random,
    private taken: number,
    count: number,
    depth: number,
    report: (message: string) => void,
  ) {
    const stream = task.samples(random, report);
    this.stream = stream;
    const release = (sample: Sample | null): void => {
      if (sample !== null) task.release?.(sample);
    };
    this.prefetcher = new Prefetcher((at) => stream.at(at), taken, taken + count, depth, release);
  }

  /** Position behind the last sample that was taken or passed over: where a resumed run goes on. */
  get position(): number {
    return this.taken;
  }

  /** The next sample that can be used; the caller owns it. */
  async next(): Promise<Sample> {
    for (let passedOver = 0; passedOver < MOST_PASSED_OVER; passedOver++) {
      const sample = await this.prefetcher.next();
      this.taken++;
      if (sample !== null) return sample;
      this.prefetcher.extend();
    }
    throw new UserError(
      `Training: ${MOST_PASSED_OVER} samples in a row cannot be used. Look at what was said of them, and check the data.`,
    );
  }

  async endUpdate(): Promise<void> {
    // Single process: no other rank waits for samples.
  }

  /** Waits for what is in preparation, releases it and ends what loads the samples. */
  async close(): Promise<void> {
    await this.prefetcher.close();
    await this.stream.close?.();
  }
}
