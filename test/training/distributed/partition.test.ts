/** ZeRO's partition: every number of every variable belongs to exactly one rank, in blocks of one size. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { partition } from '../../../src/training/distributed/partition.js';

describe('partition', () => {
  test('gives every number to exactly one rank and keeps buckets within their size', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 5, max: 50 }),
        (counts, ranks, bucketSize) => {
          const byName = new Map(counts.map((count, index) => [`v${index}`, count]));
          const owners = new Map([...byName].map(([name, count]) => [name, new Array<number>(count).fill(0)]));
          for (let rank = 0; rank < ranks; rank++) {
            const { buckets, blockLength } = partition(byName, rank, ranks, bucketSize);
            expect(blockLength * ranks).toBeLessThan(bucketSize + ranks);
            for (const { own, segments } of buckets) {
              for (const { name, start, offset, length } of own) {
                expect(offset + length).toBeLessThanOrEqual(blockLength);
                const owned = owners.get(name) ?? [];
                for (let i = start; i < start + length; i++) owned[i] = (owned[i] ?? 0) + 1;
                const whole = segments.find((segment) => segment.name === name);
                expect(whole).toBeDefined();
              }
            }
          }
          for (const owned of owners.values()) expect(owned.every((count) => count === 1)).toBe(true);
        },
      ),
    );
  });

  test('puts the numbers of a bucket one behind the other, across variables', () => {
    const sizes = new Map([
      ['a', 3],
      ['b', 5],
    ]);
    expect(partition(sizes, 1, 2, 4)).toEqual({
      blockLength: 2,
      buckets: [
        {
          segments: [
            { name: 'a', start: 0, offset: 0, length: 3 },
            { name: 'b', start: 0, offset: 3, length: 1 },
          ],
          own: [
            { name: 'a', start: 2, offset: 0, length: 1 },
            { name: 'b', start: 0, offset: 1, length: 1 },
          ],
        },
        {
          segments: [{ name: 'b', start: 1, offset: 0, length: 4 }],
          own: [{ name: 'b', start: 3, offset: 0, length: 2 }],
        },
      ],
    });
  });
});
