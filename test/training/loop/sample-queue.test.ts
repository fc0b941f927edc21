/** The samples of a run: those that cannot be used are passed over, without a position being lost or taken twice. */
import { describe, expect, test } from '@jest/globals';
import { Random } from '../../../src/random.js';
import { Prefetcher, SampleQueue } from '../../../src/training/loop/sample-queue.js';
import type { SampleStream, TrainingTask } from '../../../src/training/loop/training-task.js';

/** Gives its position, null at those of `missing`; counts what is released and closed. */
class PositionTask implements Pick<TrainingTask<number>, 'samples' | 'release'> {
  readonly asked: number[] = [];
  readonly released: number[] = [];
  closed = 0;

  constructor(private readonly isMissing: (position: number) => boolean) {}

  samples(): SampleStream<number> {
    return {
      at: (position) => {
        this.asked.push(position);
        return Promise.resolve(this.isMissing(position) ? null : position);
      },
      close: () => {
        this.closed++;
        return Promise.resolve();
      },
    };
  }

  release(sample: number): void {
    this.released.push(sample);
  }
}

function queueOf(task: PositionTask, first: number, count: number): SampleQueue<number> {
  return new SampleQueue(task as unknown as TrainingTask<number>, new Random(1), first, count, 3, () => undefined);
}

describe('SampleQueue', () => {
  test('passes over what is missing, and loads as many more', async () => {
    const task = new PositionTask((position) => position % 3 === 1);
    const queue = queueOf(task, 0, 5);
    const taken: [number, number][] = [];
    for (let i = 0; i < 5; i++) taken.push([await queue.next(), queue.position]);
    expect(taken).toEqual([
      [0, 1],
      [2, 3],
      [3, 4],
      [5, 6],
      [6, 7],
    ]);
    expect(task.asked).toEqual([0, 1, 2, 3, 4, 5, 6]);
    await expect(queue.next()).rejects.toThrow('no further item');
    await queue.close();
    expect([task.released, task.closed]).toEqual([[], 1]);
  });

  test('goes on from a position as the run before it would have', async () => {
    const task = new PositionTask((position) => position === 4);
    const queue = queueOf(task, 3, 2);
    expect([await queue.next(), await queue.next(), queue.position]).toEqual([3, 5, 6]);
    await queue.close();
    const resumed = queueOf(new PositionTask((position) => position === 4), 6, 4);
    expect(await resumed.next()).toBe(6);
    await resumed.close();
  });

  test('releases what was prepared and not taken', async () => {
    const task = new PositionTask((position) => position === 2);
    const queue = queueOf(task, 0, 10);
    await queue.next();
    await queue.close();
    expect(task.released).toEqual([1, 3]);
  });

  test('ends the run where nothing can be used', async () => {
    const queue = queueOf(new PositionTask(() => true), 0, 2);
    await expect(queue.next()).rejects.toThrow('1000 samples in a row cannot be used');
    await queue.close();
  });
});

describe('Prefetcher', () => {
  const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  test('gives items in order, never preparing more than its depth ahead', async () => {
    let started = 0;
    let taken = 0;
    let most = 0;
    const produce = async (position: number): Promise<number> => {
      started += 1;
      most = Math.max(most, started - taken);
      await later((position * 5) % 7);
      return position;
    };
    const prefetcher = new Prefetcher(produce, 3, 20, 4, () => undefined);
    for (let expected = 3; expected < 20; expected++) {
      expect(await prefetcher.next()).toBe(expected);
      taken += 1;
    }
    // The one being handed over and the next four.
    expect(most).toBeLessThanOrEqual(5);
    expect(started).toBe(17);
    await expect(prefetcher.next()).rejects.toThrow('no further item');
    await prefetcher.close();
  });

  test('an error waits for its turn, then is thrown; items never taken are released', async () => {
    const released: number[] = [];
    const produce = async (position: number): Promise<number> => {
      await later(1);
      if (position === 2) throw new Error('no such image');
      return position;
    };
    const prefetcher = new Prefetcher(produce, 0, 100, 4, (item) => released.push(item));
    await later(5);
    expect(await prefetcher.next()).toBe(0);
    expect(await prefetcher.next()).toBe(1);
    await expect(prefetcher.next()).rejects.toThrow('no such image');
    await prefetcher.close();
    expect(released).toEqual([3, 4, 5, 6]);
    await expect(prefetcher.next()).rejects.toThrow('closed');
  });
});
