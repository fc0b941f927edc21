/** The order of samples, and their preparation ahead of use. */
import { describe, expect, test } from '@jest/globals';
import { Random } from '../../src/random.js';
import { Prefetcher } from '../../src/training/prefetcher.js';
import { SampleOrder } from '../../src/training/sample-order.js';

function indices(order: SampleOrder, from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => order.indexAt(from + i));
}

describe('SampleOrder', () => {
  test('every epoch holds every sample once, in another order', () => {
    const order = new SampleOrder(50, new Random(1));
    const epochs = [0, 1, 2].map((epoch) => indices(order, epoch * 50, (epoch + 1) * 50));
    for (const epoch of epochs)
      expect([...epoch].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(epochs[0]).not.toEqual(epochs[1]);
    expect(epochs[1]).not.toEqual(epochs[2]);
    expect(order.epochOf(49)).toBe(0);
    expect(order.epochOf(50)).toBe(1);
  });

  test('depends on the seed and the position alone', () => {
    const all = indices(new SampleOrder(7, new Random(1)), 0, 40);
    expect(indices(new SampleOrder(7, new Random(1)), 20, 40)).toEqual(all.slice(20));
    expect(indices(new SampleOrder(7, new Random(2)), 0, 40)).not.toEqual(all);
    const draw = new SampleOrder(7, new Random(1)).randomAt(12).uint32();
    expect(new SampleOrder(7, new Random(1)).randomAt(12).uint32()).toBe(draw);
    expect(new SampleOrder(7, new Random(1)).randomAt(13).uint32()).not.toBe(draw);
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
