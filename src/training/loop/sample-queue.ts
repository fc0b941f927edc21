/** The samples of a run in the order of their positions, prepared ahead; those that cannot be used are passed over. */
import { UserError } from '../../errors.js';
import type { Random } from '../../random.js';
import type { SampleStream, TrainingTask } from './training-task.js';

/** Prepares items ahead of their use, in order, at most `depth` at a time, so that memory stays bounded. */
export class Prefetcher<T> {
  private readonly pending: Promise<T>[] = [];
  private closed = false;

  /**
   * @param produce makes the item of a position @param start of the first item @param end behind the last item @param
   * depth items in preparation or ready, at least 1 @param release frees an item that was never taken
   */
  constructor(
    private readonly produce: (position: number) => Promise<T>,
    private start: number,
    private end: number,
    private readonly depth: number,
    private readonly release: (item: T) => void,
  ) {
    this.fill();
  }

  /** The next item; rejects with what `produce` threw for it. The caller owns the item. */
  async next(): Promise<T> {
    if (this.closed) throw new Error('Prefetcher.next: it is closed');
    this.fill();
    const item = this.pending.shift();
    if (item === undefined) throw new Error('Prefetcher.next: there is no further item');
    try {
      return await item;
    } finally {
      this.fill();
    }
  }

  /** One more item is to be prepared at the end. */
  extend(): void {
    this.end++;
    this.fill();
  }

  /** Waits for what is in preparation and releases it. */
  async close(): Promise<void> {
    this.closed = true;
    for (const result of await Promise.allSettled(this.pending.splice(0))) {
      if (result.status === 'fulfilled') this.release(result.value);
    }
  }

  private fill(): void {
    while (!this.closed && this.start < this.end && this.pending.length < this.depth) {
      const item = this.produce(this.start++);
      // The error is reported when the item's turn comes; until then it must not count as unhandled.
      item.catch(() => undefined);
      this.pending.push(item);
    }
  }
}

/** Source of the samples of the updates. */
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
   * @param random seed of order and draws @param position of the first sample, then behind the last one that was taken or
   * passed over: where a resumed run goes on @param count samples needed at most @param depth samples in preparation or
   * ready, at least 1 @param report takes a line for the person watching
   */
  constructor(
    task: TrainingTask<Sample>,
    random: Random,
    public position: number,
    count: number,
    depth: number,
    report: (message: string) => void,
  ) {
    const stream = task.samples(random, report);
    this.stream = stream;
    const release = (sample: Sample | null): void => {
      if (sample !== null) task.release?.(sample);
    };
    this.prefetcher = new Prefetcher((at) => stream.at(at), position, position + count, depth, release);
  }

  /** The next sample that can be used; the caller owns it. */
  async next(): Promise<Sample> {
    for (let passedOver = 0; passedOver < MOST_PASSED_OVER; passedOver++) {
      const sample = await this.prefetcher.next();
      this.position++;
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
