/** The preparation of samples ahead of their use. */
import { describe, expect, test } from '@jest/globals';
import { Prefetcher } from '../../../src/training/loop/sample-queue.js';

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
