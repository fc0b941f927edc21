/** Input embeddings of rows with text and vision tokens: each token its own row of the table or of the features. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { embedRows } from '../../src/networks/multimodal-embedding.js';
import { MultimodalRows } from '../../src/networks/multimodal-rows.js';
import { Embedding } from '../../src/nn/layers.js';
import { Random } from '../../src/random.js';
import { buildRandom, normal, stored, valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

const SIZE = 3;

describe('embedRows', () => {
  test('words from the table, tiles of each picture in their places, padding the row 0', () => {
    const table = buildRandom(new Embedding({ rows: 9, size: SIZE }), new Random(1));
    const tokens = {
      inputIds: Int32Array.of(5, -200, 6, /**/ -200, 7, 0),
      ...{ labels: null, lengths: [3, 2], batch: 2, time: 3 },
    };
    // The first row is about the last two tiles of two tokens each, the second about the first.
    const rows = new MultimodalRows(tokens, 2, [
      { firstTile: 1, tiles: 2, grid: { columns: 2, rows: 1 } },
      { firstTile: 0, tiles: 1, grid: { columns: 1, rows: 1 } },
    ]);
    const features = normal(new Random(2), [3, 1, 2, SIZE]);
    const before = tf.memory().numTensors;
    const found = tf.tidy(() => embedRows(table, rows, features));
    expect(tf.memory().numTensors).toBe(before + 1);
    const words = stored(table, 'weight').data;
    const seen = valuesOf(features);
    const at = (values: Float32Array, row: number): number[] => [...values.subarray(row * SIZE, (row + 1) * SIZE)];
    expect(found.shape).toEqual([2, 6, SIZE]);
    expect([...valuesOf(found)]).toEqual([
      ...[at(words, 5), at(seen, 2), at(seen, 3), at(seen, 4), at(seen, 5), at(words, 6)].flat(),
      ...[at(seen, 0), at(seen, 1), at(words, 7), at(words, 0), at(words, 0), at(words, 0)].flat(),
    ]);
    tf.dispose([found, features]);
    table.dispose();
  });

  test('text alone is the table, whatever is seen', () => {
    const table = buildRandom(new Embedding({ rows: 9, size: SIZE }), new Random(3));
    const tokens = { inputIds: Int32Array.of(5, 6), labels: null, lengths: [2], batch: 1, time: 2 };
    tf.tidy(() => {
      const found = embedRows(table, new MultimodalRows(tokens, 2), null);
      expect([...valuesOf(found)]).toEqual([...stored(table, 'weight').data.subarray(5 * SIZE, 7 * SIZE)]);
    });
    table.dispose();
  });

  test('the gradient goes to the tokens that stand in the rows, once for each time', () => {
    const table = buildRandom(new Embedding({ rows: 9, size: SIZE }), new Random(4));
    const tokens = { inputIds: Int32Array.of(-200, 4, /**/ -200, 4), labels: null, lengths: [2, 2], batch: 2, time: 2 };
    const picture = { firstTile: 0, tiles: 1, grid: { columns: 1, rows: 1 } };
    const rows = new MultimodalRows(tokens, 2, [picture, picture]);
    tf.tidy(() => {
      const features = normal(new Random(5), [2, 2, SIZE]);
      const gradient = tf.grad((x) => tf.sum(embedRows(table, rows, x)))(features);
      // Both rows are about the first tile; nobody sees the second.
      expect([...valuesOf(gradient)]).toEqual([...Array<number>(2 * SIZE).fill(2), ...Array<number>(2 * SIZE).fill(0)]);
    });
    table.dispose();
  });
});
