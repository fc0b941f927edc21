/** SAM's two-way transformer: published parameters, equal to the definition. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { TwoWayBlock, TwoWayTransformer } from '../../../src/networks/sam/two-way-transformer.js';
import { Random } from '../../../src/random.js';
import { checkLayer } from '../../check-layer.js';
import { type Matrix, toRows } from '../../helpers/naive.js';
import { publishedShapes } from '../../helpers/small-model.js';
import { buildRandom, largestDifference, normal, valuesOf } from '../../helpers/tensors.js';
import { naiveBlock, naiveTransformer, Weights } from './naive-decoder.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

const PUBLISHED = 'model.visual_model.mask_decoder.transformer.';
const CONFIG = { depth: 2, size: 32, heads: 4, mlpSize: 64 };

checkLayer('TwoWayBlock', {
  create: () => new TwoWayBlock({ ...CONFIG, isFirst: false }),
  inputs: (random) =>
    [
      [2, 3, 32],
      [2, 9, 32],
      [2, 3, 32],
      [1, 9, 32],
    ].map((shape) => normal(random, shape)),
  outputShapes: [
    [2, 3, 32],
    [2, 9, 32],
  ],
  parameters: publishedShapes(`${PUBLISHED}layers.1.`),
  withoutGradient: /k_proj\.bias$/,
});

checkLayer('TwoWayTransformer', {
  create: () => new TwoWayTransformer(CONFIG),
  inputs: (random) =>
    [
      [2, 3, 32],
      [2, 9, 32],
      [1, 9, 32],
    ].map((shape) => normal(random, shape)),
  outputShapes: [
    [2, 3, 32],
    [2, 9, 32],
  ],
  parameters: publishedShapes(PUBLISHED),
  withoutGradient: /k_proj\.bias$/,
});

const SMALL_CONFIG = { depth: 2, size: 8, heads: 2, mlpSize: 16 };

/** Rows of batch item `b` of [B, N, D]. */
function item(x: tf.Tensor, b: number): Matrix {
  return toRows(valuesOf(tf.slice(x, [b, 0, 0], [1, -1, -1])), x.shape[2] ?? 0);
}

describe('TwoWayBlock', () => {
  test.each([true, false])('equals the definition, first block: %s', (isFirst) => {
    const block = buildRandom(new TwoWayBlock({ ...SMALL_CONFIG, isFirst }), new Random(1));
    tf.tidy(() => {
      const random = new Random(2);
      const [tokens, cells, tokenPositions, cellPositions] = [
        [2, 3, 8],
        [2, 5, 8],
        [2, 3, 8],
        [1, 5, 8],
      ].map((shape) => normal(random, shape)) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      const out = block.forward({ tokens, cells }, tokenPositions, cellPositions);
      for (const b of [0, 1]) {
        const positions = { tokens: item(tokenPositions, b), cells: item(cellPositions, 0) };
        const state = { tokens: item(tokens, b), cells: item(cells, b) };
        const expected = naiveBlock(new Weights(block), state, positions, 2, isFirst);
        expect(largestDifference(item(out.tokens, b).flat(), expected.tokens.flat())).toBeLessThan(1e-5);
        expect(largestDifference(item(out.cells, b).flat(), expected.cells.flat())).toBeLessThan(1e-5);
      }
    });
    block.dispose();
  });

  test('names what it expects', () => {
    const block = new TwoWayBlock({ ...CONFIG, isFirst: true });
    const x = tf.zeros([1, 1, 32]);
    expect(() => block.call([x])).toThrow('expected [tokens, cells, tokenPositions, cellPositions]');
    x.dispose();
  });
});

describe('TwoWayTransformer', () => {
  test('equals the definition: the tokens are their own positions', () => {
    const transformer = buildRandom(new TwoWayTransformer(SMALL_CONFIG), new Random(1));
    tf.tidy(() => {
      const random = new Random(2);
      const [tokens, cells] = [normal(random, [2, 3, 8]), normal(random, [2, 5, 8])];
      const positions = normal(random, [1, 5, 8]);
      const out = transformer.forward(tokens, cells, positions);
      for (const b of [0, 1]) {
        const start = { tokens: item(tokens, b), cells: item(cells, b) };
        const expected = naiveTransformer(new Weights(transformer), start, item(positions, 0), 2, 2);
        expect(largestDifference(item(out.tokens, b).flat(), expected.tokens.flat())).toBeLessThan(1e-5);
        expect(largestDifference(item(out.cells, b).flat(), expected.cells.flat())).toBeLessThan(1e-5);
      }
    });
    transformer.dispose();
  });
});
