/** Rows about encoded images: tiles one picture after the other, thumbnails counted, one tile where nothing is cut. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import type { EncodedImage } from '../../src/features/image-features.js';
import { rowsAbout, rowsAboutInputs, tilesOfImage } from '../../src/features/image-rows.js';
import type { TokenBatch } from '../../src/networks/multimodal-rows.js';
import { smallModel } from '../helpers/small-model.js';
import { smallSelf1e } from '../helpers/small-self1e.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

const SIZE = { original: [10, 20], resized: [10, 20] } as const;
/** Features [tiles, 16, 8] of a picture in a grid. */
const encoded = (tiles: number, columns: number, rows: number): EncodedImage => {
  return { ...SIZE, features: { vit: new Float32Array(tiles * 16 * 8) }, grid: { columns, rows } };
};
const tokens = (rows: number): TokenBatch => ({
  inputIds: Int32Array.from({ length: 3 * rows }, (_, i) => [5, -200, 6][i % 3] as number),
  ...{ labels: null, lengths: Array<number>(rows).fill(3), batch: rows, time: 3 },
});

describe('rowsAbout', () => {
  test('the tiles of pictures stand one after the other', () => {
    const network = smallSelf1e(1);
    const images = [encoded(3, 2, 1), encoded(1, 1, 1), encoded(6, 3, 2)];
    const rows = rowsAbout(network, tokens(3), images);
    expect([0, 1, 2].map((row) => rows.pictureOf(row))).toEqual([
      { firstTile: 0, tiles: 3, grid: { columns: 2, rows: 1 } },
      { firstTile: 3, tiles: 1, grid: { columns: 1, rows: 1 } },
      { firstTile: 4, tiles: 6, grid: { columns: 3, rows: 2 } },
    ]);
    expect(rows.lengths).toEqual([2 + 12, 2 + 4, 2 + 24]);
    expect(images.map((image) => tilesOfImage(network, image))).toEqual([3, 1, 6]);
    network.dispose();
  });

  test('a system whose encoders take pictures whole has one tile each', () => {
    const network = smallModel(1);
    const image: EncodedImage = { ...SIZE, features: {} };
    const rows = rowsAbout(network, tokens(2), [image, image]);
    expect([rows.pictureOf(1), tilesOfImage(network, image)]).toEqual([
      { firstTile: 1, tiles: 1, grid: { columns: 1, rows: 1 } },
      1,
    ]);
    network.dispose();
  });
});

test('rowsAboutInputs: several rows about a picture share its tiles', () => {
  const network = smallSelf1e(1);
  const input = (tiles: number): Float32Array => new Float32Array(tiles * 16 * 16 * 3);
  const images = [
    { ...SIZE, inputs: { vit: input(2) }, grid: { columns: 1, rows: 2 } },
    { ...SIZE, inputs: { vit: input(1) } },
  ];
  const rows = rowsAboutInputs(network, tokens(3), images, [0, 0, 1]);
  expect([0, 1, 2].map((row) => rows.pictureOf(row))).toEqual([
    { firstTile: 0, tiles: 2, grid: { columns: 1, rows: 2 } },
    { firstTile: 0, tiles: 2, grid: { columns: 1, rows: 2 } },
    { firstTile: 2, tiles: 1, grid: { columns: 1, rows: 1 } },
  ]);
  network.dispose();
});
