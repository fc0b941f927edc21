/**
 * Samples of one rank. Of an update's micro-batches, rank r of N takes r, r + N, r + 2N, …, from the window of
 * positions that one process would take. A sample that cannot be used is replaced by the next position behind the
 * window; the ranks exchange how many they miss, so that none is taken twice. The update then has the samples of one
 * process, though perhaps in another micro-batch.
 */
import { UserError } from '../../errors.js';
import type { Random } from '../../random.js';
import type { SampleSupply } from '../loop/sample-queue.js';
import type { SampleStream, TrainingTask } from '../loop/training-task.js';
import type { Communicator } from './communicator.js';

/** This many replaced in one update are not a few bad files. */
const MOST_REPLACED = 1000;

export interface RankSamplesOptions {
  /** Samples in a micro-batch. */
  readonly batchSize: number;
  /** Micro-batches of this rank in an update. */
  readonly accumulation: number;
  /** Position of the first sample of the next update. */
  readonly position: number;
  /** Updates that are left at most. */
  readonly updates: number;
  /** Samples in preparation or ready, at least 1. */
  readonly depth: number;
}

/** The positions of a rank in the window that begins at `start`, in the order in which it takes them. */
export function positionsOf(
  start: number,
  rank: number,
  ranks: number,
  { batchSize, accumulation }: Pick<RankSamplesOptions, 'batchSize' | 'accumulation'>,
): number[] {
  return Array.from({ length: accumulation * batchSize }, (_, index) => {
    const microBatch = Math.floor(index / batchSize) * ranks + rank;
    return start + microBatch * batchSize + (index % batchSize);
  });
}

export class RankSamples<Sample> implements SampleSupply<Sample> {
  private readonly stream: SampleStream<Sample>;
  private readonly ahead = new Map<number, Promise<Sample | null>>();
  private readonly discarded = new Set<Promise<void>>();
  /** Position behind the window. */
  position: number;
  private updatesLeft: number;
  /** Positions of this rank in the window that are still to be taken. */
  private own: number[] = [];
  private missing = 0;
  private replaced = 0;
  private isWindowOpen = false;
  private isClosed = false;

  constructor(
    private readonly task: TrainingTask<Sample>,
    random: Random,
    private readonly options: RankSamplesOptions,
    private readonly communicator: Communicator,
    report: (message: string) => void,
  ) {
    this.stream = task.samples(random, report);
    this.position = options.position;
    this.updatesLeft = options.updates;
    this.prepareAhead();
  }

  async next(): Promise<Sample> {
    if (!this.isWindowOpen) this.openWindow();
    while (this.isWindowOpen) {
      for (let position = this.own.shift(); position !== undefined; position = this.own.shift()) {
        const sample = await this.take(position);
        if (sample !== null) return sample;
        this.missing++;
      }
      await this.replaceMissing();
    }
    throw new Error('RankSamples.next: the samples of this update have all been taken');
  }

  /** Collective: takes part in the others' replacements until nobody misses a sample. */
  async endUpdate(): Promise<void> {
    while (this.isWindowOpen) await this.replaceMissing();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const position of [...this.ahead.keys()]) this.discard(position);
    await Promise.all(this.discarded);
    await this.stream.close?.();
  }

  private openWindow(): void {
    const { rank, size } = this.communicator;
    this.own = positionsOf(this.position, rank, size, this.options);
    this.position += this.own.length * size;
    this.updatesLeft--;
    this.replaced = 0;
    this.isWindowOpen = true;
    this.prepareAhead();
  }

  /** Collective: whoever misses samples gets positions behind the window, in the order of the ranks. */
  private async replaceMissing(): Promise<void> {
    const { rank, size } = this.communicator;
    const counts = Array.from({ length: size }, (_, other) => (other === rank ? this.missing : 0));
    const missing = await this.communicator.sumOf(counts);
    const total = missing.reduce((sum, count) => sum + count, 0);
    if (total === 0) {
      this.isWindowOpen = false;
      return;
    }
    this.replaced += total;
    if (this.replaced > MOST_REPLACED) {
      throw new UserError(
        `Training: ${MOST_REPLACED} samples of one update cannot be used. Look at what was said of them, and check the data.`,
      );
    }
    const before = missing.slice(0, rank).reduce((sum, count) => sum + count, 0);
    this.own = Array.from({ length: this.missing }, (_, index) => this.position + before + index);
    this.position += total;
    this.missing = 0;
    this.prepareAhead();
  }

  private async take(position: number): Promise<Sample | null> {
    const sample = this.ahead.get(position) ?? this.stream.at(position);
    this.ahead.delete(position);
    this.prepareAhead();
    return sample;
  }

  /** Prepares what this rank takes next, unless samples are replaced meanwhile; then some of it is given up. */
  private prepareAhead(): void {
    if (this.isClosed) return;
    const { depth, batchSize, accumulation } = this.options;
    const { rank, size } = this.communicator;
    const wanted = this.own.slice(0, depth);
    const perUpdate = batchSize * accumulation * size;
    for (let update = 0; wanted.length < depth && update < this.updatesLeft; update++) {
      wanted.push(...positionsOf(this.position + update * perUpdate, rank, size, this.options));
    }
    const needed = new Set(wanted.slice(0, depth));
    for (const position of [...this.ahead.keys()]) if (!needed.has(position)) this.discard(position);
    for (const position of needed) {
      if (this.ahead.has(position)) continue;
      const sample = this.stream.at(position);
      // The error is reported when the sample's turn comes; until then it must not count as unhandled.
      sample.catch(() => undefined);
      this.ahead.set(position, sample);
    }
  }

  private discard(position: number): void {
    const sample = this.ahead.get(position);
    this.ahead.delete(position);
    if (sample === undefined) return;
    const released: Promise<void> = sample
      .then((value) => {
        if (value !== null) this.task.release?.(value);
      })
      .catch(() => undefined)
      .finally(() => this.discarded.delete(released));
    this.discarded.add(released);
  }
}
