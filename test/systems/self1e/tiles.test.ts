/** Tiles of a picture put together: every patch stands where it was in the picture. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { joinTiles, tilesOf } from '../../../src/systems/self1e/tiles.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

const [SIDE, SIZE] = [2, 3];

/** Tiles of a picture whose value is 100·y + 10·x + channel, cut by hand. */
function cut(columns: number, rows: number): tf.Tensor4D {
  const values: number[] = [];
  for (let tile = 0; tile < columns * rows; tile++) {
    const [top, left] = [Math.floor(tile / columns) * SIDE, (tile % columns) * SIDE];
    for (let y = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++) {
        for (let c = 0; c < SIZE; c++) values.push(100 * (top + y) + 10 * (left + x) + c);
      }
    }
  }
  return tf.tensor4d(values, [columns * rows, SIDE, SIDE, SIZE]);
}

describe('joinTiles', () => {
  test.each([
    { columns: 1, rows: 1 },
    { columns: 2, rows: 1 },
    { columns: 1, rows: 2 },
    { columns: 3, rows: 2 },
  ])('$columns × $rows', ({ columns, rows }) => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const joined = joinTiles(cut(columns, rows), { columns, rows });
      expect(joined.shape).toEqual([rows * SIDE, columns * SIDE, SIZE]);
      for (const [y, line] of joined.arraySync().entries()) {
        for (const [x, pixel] of line.entries()) expect(pixel).toEqual([0, 1, 2].map((c) => 100 * y + 10 * x + c));
      }
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  test('a thumbnail behind the tiles is left out', () => {
    tf.tidy(() => {
      const tiles = tf.concat4d([cut(2, 1), tf.fill([1, SIDE, SIDE, SIZE], -1)], 0);
      expect(tf.min(joinTiles(tiles, { columns: 2, rows: 1 })).arraySync()).toBe(0);
    });
  });
});

test('tilesOf takes the tiles of one picture among those of all, without its thumbnail', () => {
  tf.tidy(() => {
    const all = tf.tensor4d(
      Array.from({ length: 7 }, (_, tile) => tile),
      [7, 1, 1, 1],
    );
    const picture = { firstTile: 2, tiles: 3, grid: { columns: 1, rows: 2 } };
    expect([...valuesAt(all, picture)]).toEqual([2, 3]);
  });
});

function valuesAt(x: tf.Tensor4D, picture: Parameters<typeof tilesOf>[1]): Float32Array {
  return tilesOf(x, picture).dataSync<'float32'>();
}
