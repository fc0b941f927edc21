/** The order of samples: whole epochs, a function of seed and position. */
import { describe, expect, test } from '@jest/globals';
import { SampleOrder } from '../../../src/data/sampling/sample-source.js';
import { Random } from '../../../src/random.js';

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
