/** Tiles cover the picture row by row, and an encoder's input has all of them. */
import { describe, expect, test } from '@jest/globals';
import { chooseTileGrid, countTiles, cutTiles, tileImage } from '../../../src/data/image/image-tiles.js';
import { IMAGENET_MEAN, IMAGENET_STD, squashTransform } from '../../../src/data/image/image-transforms.js';
import { type Pictures, prepareImage } from '../../../src/data/image/prepare-image.js';
import type { RgbImage } from '../../../src/types.js';

/** A picture whose pixel [y, x] is (10 y + x, y, x). */
function picture(height: number, width: number): RgbImage {
  const data = Uint8Array.from({ length: height * width * 3 }, (_, i) => {
    const [y, x] = [Math.floor(i / 3 / width), Math.floor(i / 3) % width];
    return [10 * y + x, y, x][i % 3] as number;
  });
  return { data, height, width };
}

describe('chooseTileGrid', () => {
  test('the nearest shape; at a tie the larger grid, if the picture has more than half of its pixels', () => {
    expect(chooseTileGrid(896, 448, 4, 448)).toEqual({ columns: 2, rows: 1 });
    expect(chooseTileGrid(448, 896, 4, 448)).toEqual({ columns: 1, rows: 2 });
    // 1 x 1 and 2 x 2 are both square: 633² pixels are less than half of 896², 634² are more.
    expect(chooseTileGrid(633, 633, 4, 448)).toEqual({ columns: 1, rows: 1 });
    expect(chooseTileGrid(634, 634, 4, 448)).toEqual({ columns: 2, rows: 2 });
  });

  test('refuses what is no number of pixels or tiles', () => {
    expect(() => chooseTileGrid(10, 10, 0, 4)).toThrow('at most 0 tiles');
    expect(() => chooseTileGrid(10, 0.5, 4, 4)).toThrow('10 x 0.5');
  });
});

test('tiles stand row by row, and the thumbnail is last', () => {
  const image = picture(4, 6);
  const { grid, tiles } = cutTiles(image, { mostTiles: 6, side: 2, thumbnail: true });
  expect(grid).toEqual({ columns: 3, rows: 2 });
  // 3 x 2 tiles of 2 pixels are the picture itself.
  expect(tiles.map(({ data }) => data[0])).toEqual([0, 2, 4, 20, 22, 24, expect.any(Number)]);
  expect([...(tiles[4]?.data ?? [])]).toEqual([22, 2, 2, 23, 2, 3, 32, 3, 2, 33, 3, 3]);
  expect(tiles[6]).toMatchObject({ height: 2, width: 2 });
  expect(countTiles(grid, true)).toBe(7);
  expect(countTiles({ columns: 1, rows: 1 }, true)).toBe(1);
});

test('prepareImage gives every tile, normalised, and the grid; one tile is the squash', () => {
  const image = picture(4, 6);
  const inputs: Pictures = {
    vit: { transform: 'squash', side: 2, neededFor: 'text', mostTiles: 6, thumbnail: true },
  };
  const { inputs: found, grid, original } = prepareImage(image, inputs);
  expect([grid, original]).toEqual([{ columns: 3, rows: 2 }, [4, 6]]);
  const data = found['vit'] ?? new Float32Array();
  expect(data).toEqual(tileImage(image, { mostTiles: 6, side: 2, thumbnail: true }).data);
  expect(data.length).toBe(7 * 2 * 2 * 3);
  const red = (20 / 255 - IMAGENET_MEAN[0]) / IMAGENET_STD[0];
  expect(data[3 * 12]).toBeCloseTo(red, 6);
  expect(data.subarray(6 * 12)).toEqual(squashTransform(image, 2).data);
  const whole: Pictures = { vit: { transform: 'squash', side: 2, neededFor: 'text' } };
  expect(prepareImage(image, whole)).toEqual({
    inputs: { vit: squashTransform(image, 2).data },
    original: [4, 6],
    resized: [4, 6],
  });
  expect(prepareImage(image, inputs, new Set()).grid).toEqual({ columns: 3, rows: 2 });
});

test('only the squash makes tiles', () => {
  const inputs: Pictures = { clip: { transform: 'crop', side: 2, neededFor: 'text', mostTiles: 4 } };
  expect(() => prepareImage(picture(4, 6), inputs)).toThrow('not "crop"');
});
