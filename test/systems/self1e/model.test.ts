/** SELF1E as a whole: a layer like others, masks in the order of their places, each on its own picture. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { MultimodalRows, type RowPicture } from '../../../src/networks/multimodal-rows.js';
import { Self1e } from '../../../src/systems/self1e/model.js';
import { Random } from '../../../src/random.js';
import { Self1eCase } from '../../../src/verification/self1e-case.js';
import { checkLayer } from '../../check-layer.js';
import { fixture } from '../../helpers/fixtures.js';
import { SMALL_SELF1E, smallSelf1e } from '../../helpers/small-self1e.js';
import { largestDifference, normal, valuesOf } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

const TINY = new Self1eCase(fixture('self1e-tiny'));

checkLayer('Self1e', {
  create: () => new Self1e(TINY.config),
  inputs: (random) => [
    normal(random, [2, 32, 32, 3]),
    tf.tensor2d([5, -200, 6, 598, 5, -200, 7, 598], [2, 4], 'int32'),
    tf.tensor1d([17, 36], 'int32'),
  ],
  outputShapes: [
    [2, 19, 600],
    [2, 16, 16],
  ],
  parameters: Object.fromEntries([...TINY.weights('model.safetensors')].map(([name, { shape }]) => [name, shape])),
});

const SEG = SMALL_SELF1E.tokens.seg;

/** Rows of [SEG] about pictures of several tiles. */
function rowsOf(texts: readonly number[][], pictures: readonly RowPicture[]): MultimodalRows {
  const lengths = texts.map(({ length }) => length);
  const time = Math.max(...lengths);
  const inputIds = Int32Array.from(texts.flatMap((text) => [...text, ...Array<number>(time - text.length).fill(0)]));
  return new MultimodalRows({ inputIds, labels: null, lengths, batch: texts.length, time }, 4, pictures);
}

function placesOf(rows: MultimodalRows) {
  return rows.statesBefore([SEG]).map(({ row, position }) => ({ row, states: [position] }));
}

describe('Self1e', () => {
  test('masks of several rows are those of each row alone, in the order of their places', () => {
    const model = smallSelf1e(1);
    const pictures = [0, 2].map((firstTile) => ({ firstTile, tiles: 2, grid: { columns: 2, rows: 1 } }));
    const texts = [
      [5, -200, 6, SEG, 7, SEG],
      [5, -200, 8, SEG],
    ];
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const vit = normal(new Random(2), [4, 16, 8]);
      const rows = rowsOf(texts, pictures);
      const { masks, boxes, scores } = model.ground(model.read(rows, { vit }), placesOf(rows));
      expect([masks.shape, boxes, scores]).toEqual([[3, 8, 16], null, null]);
      const alone = texts.map((text, row) => {
        const own = rowsOf([text], [{ ...(pictures[0] as RowPicture) }]);
        const reading = model.read(own, { vit: tf.slice(vit, [2 * row, 0, 0], [2, -1, -1]) });
        return valuesOf(model.ground(reading, placesOf(own)).masks);
      });
      const expected = alone.flatMap((values) => [...values]);
      expect(largestDifference(valuesOf(masks), expected)).toBeLessThan(1e-5);
    });
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });

  test('a thumbnail is read and has no part in the mask', () => {
    const model = smallSelf1e(3);
    tf.tidy(() => {
      const vit = normal(new Random(4), [3, 16, 8]);
      const rows = rowsOf([[5, -200, 6, SEG]], [{ firstTile: 0, tiles: 3, grid: { columns: 1, rows: 2 } }]);
      expect(rows.time).toBe(15);
      expect(model.picturePositions(rows, 0)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
      expect(model.ground(model.read(rows, { vit }), placesOf(rows)).masks.shape).toEqual([1, 16, 8]);
    });
    model.dispose();
  });

  test('a changed picture changes the masks of its own row alone', () => {
    const model = smallSelf1e(5);
    const pictures = [0, 1].map((firstTile) => ({ firstTile, tiles: 1, grid: { columns: 1, rows: 1 } }));
    const rows = rowsOf(
      [
        [5, -200, 6, SEG],
        [5, -200, 6, SEG],
      ],
      pictures,
    );
    tf.tidy(() => {
      const vit = normal(new Random(6), [2, 16, 8]);
      const change = tf.pad(tf.ones([1, 1, 8]), [
        [1, 0],
        [3, 12],
        [0, 0],
      ]);
      const masksOf = (features: tf.Tensor): Float32Array => {
        return valuesOf(model.ground(model.read(rows, { vit: features }), placesOf(rows)).masks);
      };
      const [before, after] = [masksOf(vit), masksOf(tf.add(vit, change))];
      expect(largestDifference(before.subarray(0, 64), after.subarray(0, 64))).toBeLessThan(1e-6);
      expect(largestDifference(before.subarray(64), after.subarray(64))).toBeGreaterThan(1e-3);
    });
    model.dispose();
  });

  test('what is written behind [SEG] plays no part, and the words before it do', () => {
    const model = smallSelf1e(7);
    const grid = [{ firstTile: 0, tiles: 1, grid: { columns: 1, rows: 1 } }];
    tf.tidy(() => {
      const vit = normal(new Random(8), [1, 16, 8]);
      const maskOf = (text: number[]): Float32Array => {
        const rows = rowsOf([text], grid);
        return valuesOf(model.ground(model.read(rows, { vit }), placesOf(rows)).masks);
      };
      const mask = maskOf([5, -200, 6, SEG, 7]);
      expect(largestDifference(maskOf([5, -200, 6, SEG, 9]), mask)).toBeLessThan(1e-6);
      expect(largestDifference(maskOf([5, -200, 9, SEG, 7]), mask)).toBeGreaterThan(1e-4);
    });
    model.dispose();
  });

  test('no places make no masks; masks without rows, and features that are missing, are refused', () => {
    const model = smallSelf1e(9);
    tf.tidy(() => {
      const rows = rowsOf([[5, -200, 6]], [{ firstTile: 0, tiles: 1, grid: { columns: 1, rows: 1 } }]);
      const reading = model.read(rows, { vit: normal(new Random(1), [1, 16, 8]) });
      expect(model.ground(reading, []).masks.shape[0]).toBe(0);
      const { hidden, features } = reading;
      expect(() => model.ground({ hidden, features }, [{ row: 0, states: [1] }])).toThrow('need the rows');
      expect(() => model.read(rows, {})).toThrow('the features of "vit" are missing');
    });
    model.dispose();
  });
});
