/** F_V2: attention with decomposed relative positions equals the definition; windows keep to themselves. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { SamAttention, SamBlock, SamImageEncoder } from '../../../src/networks/sam/image-encoder.js';
import { Random } from '../../../src/random.js';
import { checkLayer } from '../../check-layer.js';
import { attend, entry, linear, type Matrix, sum, toRows } from '../../helpers/naive.js';
import { publishedShapes, SMALL, TINY } from '../../helpers/small-model.js';
import { buildRandom, largestDifference, normal, stored, valuesOf } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

const PUBLISHED = 'model.visual_model.image_encoder.';
const WINDOWED = { size: 32, heads: 2, windowSize: 3, gridSize: 8 };
const GLOBAL = { ...WINDOWED, windowSize: 0 };

checkLayer('SamAttention', {
  create: () => new SamAttention(GLOBAL),
  inputs: (random) => [normal(random, [1, 8, 8, 32])],
  outputShapes: [[1, 8, 8, 32]],
  parameters: publishedShapes(`${PUBLISHED}blocks.1.attn.`),
});

checkLayer('SamBlock', {
  create: () => new SamBlock(WINDOWED),
  inputs: (random) => [normal(random, [2, 8, 8, 32])],
  outputShapes: [[2, 8, 8, 32]],
  parameters: publishedShapes(`${PUBLISHED}blocks.0.`),
});

checkLayer('SamImageEncoder', {
  create: () => new SamImageEncoder(TINY.sam),
  inputs: (random) => [normal(random, [1, 128, 128, 3])],
  outputShapes: [[1, 8, 8, 32]],
  parameters: publishedShapes(PUBLISHED),
});

/** softmax(q·kᵀ/√d + q·Rh[qy - ky] + q·Rw[qx - kx])·v on a square grid of tokens. */
function naiveAttention(layer: SamAttention, x: Matrix, heads: number, side: number): Matrix {
  const weights = (name: string, columns: number): Matrix => toRows(stored(layer, name).data, columns);
  const size = (x[0] ?? []).length;
  const headSize = size / heads;
  const qkv = linear(x, weights('qkv.weight', size), stored(layer, 'qkv.bias').data);
  const [q, k, v] = [0, 1, 2].map((part) => qkv.map((row) => row.slice(part * size, (part + 1) * size))) as [
    Matrix,
    Matrix,
    Matrix,
  ];
  const [byRow, byColumn] = [weights('rel_pos_h', headSize), weights('rel_pos_w', headSize)];
  const mixed = attend(q, k, v, heads, (head, query, key) => {
    const row = Math.floor(query / side) - Math.floor(key / side) + side - 1;
    const column = (query % side) - (key % side) + side - 1;
    return sum(
      headSize,
      (c) => entry(q, query, head * headSize + c) * (entry(byRow, row, c) + entry(byColumn, column, c)),
    );
  });
  return linear(mixed, weights('proj.weight', size), stored(layer, 'proj.bias').data);
}

describe('SamAttention', () => {
  test.each([
    { windowSize: 0, gridSize: 4 },
    { windowSize: 3, gridSize: 4 },
  ])('equals the definition for %j', (sides) => {
    const [size, heads, side] = [6, 2, sides.windowSize === 0 ? sides.gridSize : sides.windowSize];
    const layer = buildRandom(new SamAttention({ size, heads, ...sides }), new Random(1), 0.5);
    const x = normal(new Random(2), [2, side, side, size]);
    const y = tf.tidy(() => valuesOf(layer.forward(x)));
    const rows = toRows(valuesOf(x), size);
    const expected = [0, 1].flatMap((b) =>
      naiveAttention(layer, rows.slice(b * side * side, (b + 1) * side * side), heads, side),
    );
    expect(largestDifference(y, expected.flat())).toBeLessThan(1e-5);
    x.dispose();
    layer.dispose();
  });
});

describe('SamBlock', () => {
  /** Which cells of a 5×5 grid change when cell (0, 0) does. */
  function reached(windowSize: number): boolean[] {
    const block = buildRandom(new SamBlock({ size: 4, heads: 2, windowSize, gridSize: 5 }), new Random(1));
    const moved = tf.tidy(() => {
      const x = normal(new Random(2), [1, 5, 5, 4]);
      // Not a constant: the norm would take it away.
      const change = tf.pad(tf.tensor4d([1, -2, 3, 0.5], [1, 1, 1, 4]), [
        [0, 0],
        [0, 4],
        [0, 4],
        [0, 0],
      ]);
      const difference = tf.sub(block.forward(tf.add(x, change)), block.forward(x));
      return Array.from(tf.max(tf.abs(difference), 3).dataSync(), (value) => value > 1e-6);
    });
    block.dispose();
    return moved;
  }

  test('a window sees itself alone; a global block sees all', () => {
    expect(reached(3)).toEqual(Array.from({ length: 25 }, (_, i) => i % 5 < 3 && i < 15));
    expect(reached(0).every(Boolean)).toBe(true);
  });
});

describe('SamImageEncoder', () => {
  test('layers named in globalAttnIndexes have tables as large as the grid, the others as the window', () => {
    const encoder = new SamImageEncoder({ ...SMALL.sam, depth: 3, globalAttnIndexes: [0, 2] });
    encoder.build();
    const rows = [0, 1, 2].map((index) => stored(encoder, `blocks.${index}.attn.rel_pos_h`).shape[0]);
    expect(rows).toEqual([2 * 4 - 1, 2 * 3 - 1, 2 * 4 - 1]);
    encoder.dispose();
  });

  test('an image is encoded alike alone and in a batch', () => {
    const encoder = buildRandom(new SamImageEncoder(SMALL.sam), new Random(1));
    tf.tidy(() => {
      const images = normal(new Random(2), [2, 32, 32, 3]);
      const alone = encoder.forward(tf.slice(images, [1, 0, 0, 0], [1, -1, -1, -1]));
      const both = tf.slice(encoder.forward(images), [1, 0, 0, 0], [1, -1, -1, -1]);
      expect(largestDifference(valuesOf(alone), valuesOf(both))).toBeLessThan(1e-5);
    });
    encoder.dispose();
  });
});
