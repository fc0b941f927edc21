/** Layouts of SELF1E's recorded rows: by what case.json says, whatever the sizes. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { JsonReader } from '../../src/io/json/json-reader.js';
import { Random } from '../../src/random.js';
import { joinTiles } from '../../src/systems/self1e/tiles.js';
import { tileByTile } from '../../src/verification/self1e-compared.js';
import { recordedLayouts } from '../../src/verification/self1e-layouts.js';
import { normal, valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

const CONVERSATIONS = ['<image>'];

function layoutsOf(json: Record<string, unknown>, names: readonly string[] = []) {
  return Object.fromEntries(recordedLayouts(JsonReader.of(json, 'case.json'), names));
}

describe('recordedLayouts', () => {
  test('batches of any name, dialogues, evaluated pictures, chats and further rows by the prefix of their tensors', () => {
    const image = { tensors: 'eval.7', conversations: CONVERSATIONS };
    const layouts = layoutsOf({
      batch: {
        tiles: [
          [2, 2],
          [1, 1],
        ],
      },
      batch_b: {},
      batch_second: { tiles: [[3, 1]] },
      vqa: { tiles: [[1, 2]] },
      eval: { set: { images: [image, { ...image, tensors: 'eval.8', tiles: [2, 1] }] } },
      chat: [{ tiles: 2 }, {}],
      extra: { other: { conversations: CONVERSATIONS, images: 'pixel_values[1:3]', tiles: [2, 1] }, sizes: {} },
    });
    const grid = (columns: number, rows: number) => ({ columns, rows });
    expect(layouts).toEqual({
      '': { pixels: 'pixel_values', range: null, grids: [grid(2, 2), grid(1, 1)], isOnePicture: false },
      'b.': { pixels: 'b.pixel_values', range: null, grids: [], isOnePicture: false },
      'second.': { pixels: 'second.pixel_values', range: null, grids: [grid(3, 1)], isOnePicture: false },
      'vqa.': { pixels: 'vqa.pixel_values', range: null, grids: [grid(1, 2)], isOnePicture: false },
      'eval.7.': { pixels: 'eval.7.pixel_values', range: null, grids: [], isOnePicture: true },
      'eval.8.': { pixels: 'eval.8.pixel_values', range: null, grids: [grid(2, 1)], isOnePicture: true },
      'chat.0.': { pixels: 'chat.0.pixel_values', range: null, grids: [grid(2, 1)], isOnePicture: false },
      'chat.1.': { pixels: 'chat.1.pixel_values', range: null, grids: [], isOnePicture: false },
      'extra.other.': { pixels: 'pixel_values', range: [1, 3], grids: [grid(2, 1)], isOnePicture: false },
    });
  });

  test('pictures of their own go before a part of others', () => {
    const extra = { own: { conversations: CONVERSATIONS } };
    expect(layoutsOf({ extra }, ['extra.own.pixel_values'])['extra.own.']?.pixels).toBe('extra.own.pixel_values');
    expect(() => layoutsOf({ extra })).toThrow('case.json: in "extra.own" the key "images" is missing');
  });

  test.each([
    [{ batch: { tiles: [[2]] } }, '"batch.tiles[0]" is a list of 1, expected columns and rows'],
    [{ batch: { tiles: [[2, 0]] } }, '"batch.tiles[0][1]" is 0'],
    [
      { extra: { x: { conversations: [], images: 'pixels' } } },
      '"extra.x.images" is "pixels", expected a tensor with a range',
    ],
  ])('%j is refused', (json, message) => {
    expect(() => layoutsOf(json)).toThrow(message);
  });
});

test('tileByTile undoes joinTiles, and leaves a single tile alone', () => {
  tf.tidy(() => {
    for (const grid of [
      { columns: 3, rows: 2 },
      { columns: 2, rows: 1 },
      { columns: 1, rows: 2 },
    ]) {
      const tiles = normal(new Random(1), [grid.columns * grid.rows, 2, 2, 5]) as tf.Tensor4D;
      expect(valuesOf(tileByTile(joinTiles(tiles, grid), grid) as tf.Tensor)).toEqual(valuesOf(tiles));
    }
    expect(tileByTile(tf.zeros([2, 2, 5]), { columns: 1, rows: 1 })).toBeNull();
  });
});
