/** Windows: cut as segment_anything cuts, and put together again without the padding; relative positions. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { keyPlaces, partitionWindows, relativeScores, unpartitionWindows } from '../../../src/networks/sam/windows.js';
import { Random } from '../../../src/random.js';
import { type Grid, pixel, sum } from '../../helpers/naive.js';
import { largestDifference, normal, valuesOf } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

/** [B·windows, s, s, C] from the definition. */
function naivePartition(
  values: Float32Array,
  [batch, height, width, channels]: [number, number, number, number],
  side: number,
): number[] {
  const out: number[] = [];
  const size = height * width * channels;
  for (let b = 0; b < batch; b++) {
    const grid: Grid = { height, width, channels, data: values.subarray(b * size, (b + 1) * size) };
    for (let top = 0; top < height; top += side) {
      for (let left = 0; left < width; left += side) {
        for (let i = 0; i < side * side * channels; i++) {
          const [y, x] = [Math.floor(i / (side * channels)), Math.floor(i / channels) % side];
          out.push(pixel(grid, top + y, left + x, i % channels));
        }
      }
    }
  }
  return out;
}

describe('partitionWindows', () => {
  test.each([
    { shape: [2, 4, 6, 3], side: 2, windows: 12 },
    { shape: [2, 5, 4, 3], side: 3, windows: 8 },
    { shape: [1, 2, 7, 1], side: 4, windows: 2 },
    { shape: [1, 3, 3, 2], side: 14, windows: 1 },
  ])('cuts row by row with zeros right and below, and back: %j', ({ shape, side, windows }) => {
    tf.tidy(() => {
      const x = normal(new Random(1), shape);
      const cut = partitionWindows(x, side);
      expect(cut.shape).toEqual([windows, side, side, shape[3]]);
      const [batch = 0, height = 0, width = 0, channels = 0] = shape;
      expect([...valuesOf(cut)]).toEqual(naivePartition(valuesOf(x), [batch, height, width, channels], side));
      const back = unpartitionWindows(cut, side, shape);
      expect(back.shape).toEqual(shape);
      expect(valuesOf(back)).toEqual(valuesOf(x));
    });
  });
});

describe('relativeScores', () => {
  test.each([1, 2, 5])('equals q·table[query - key + side - 1] on a side of %i', (side) => {
    tf.tidy(() => {
      const [a, b, size] = [2, 3, 4];
      const q = normal(new Random(1), [a, b, side, size]) as tf.Tensor4D;
      const table = normal(new Random(2), [2 * side - 1, size]);
      const scores = relativeScores(q, table);
      expect(scores.shape).toEqual([a, b, side, side]);
      const [queries, distances] = [valuesOf(q), valuesOf(table)];
      const expected = Array.from({ length: a * b * side * side }, (_, index) => {
        const [query, key] = [Math.floor(index / side), index % side];
        const distance = (query % side) - key + side - 1;
        return sum(size, (c) => (queries[query * size + c] ?? NaN) * (distances[distance * size + c] ?? NaN));
      });
      expect(largestDifference(valuesOf(scores), expected)).toBeLessThan(1e-5);
    });
  });
});

test('keyPlaces: a 1 at the row and a 1 at the column of each key, the same for every grid', () => {
  tf.tidy(() => {
    const places = keyPlaces(2, 2, 3);
    expect(places.shape).toEqual([2, 6, 5]);
    const grid = [1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 1];
    expect([...valuesOf(places)]).toEqual([...grid, ...grid]);
  });
});
