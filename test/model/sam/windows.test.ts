/** Windows: cut as segment_anything cuts, and put together again without the padding. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { partitionWindows, relativePositionIndex, unpartitionWindows } from '../../../src/model/sam/windows.js';
import { Random } from '../../../src/random.js';
import { type Grid, pixel } from '../../helpers/naive.js';
import { normal, valuesOf } from '../../helpers/tensors.js';

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

test('relativePositionIndex: query minus key, shifted to begin at 0', () => {
  tf.tidy(() => {
    expect([...relativePositionIndex(3).dataSync()]).toEqual([2, 1, 0, 3, 2, 1, 4, 3, 2]);
    expect([...relativePositionIndex(1).dataSync()]).toEqual([0]);
    expect(relativePositionIndex(3).dtype).toBe('int32');
  });
});
