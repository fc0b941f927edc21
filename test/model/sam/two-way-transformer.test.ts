/** SAM's two-way transformer: published parameters, positions where they belong. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { TwoWayBlock, TwoWayTransformer } from '../../../src/model/sam/two-way-transformer.js';
import { Random } from '../../../src/random.js';
import { checkLayer } from '../../check-layer.js';
import { publishedShapes } from '../../helpers/small-model.js';
import { buildRandom, largestDifference, normal, valuesOf } from '../../helpers/tensors.js';

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

describe('TwoWayBlock', () => {
  /** How far the tokens move when the tokens' positions change before the self-attention alone. */
  function influenceOfPositions(isFirst: boolean): { tokens: Float32Array; moved: Float32Array } {
    const block = buildRandom(new TwoWayBlock({ depth: 1, size: 8, heads: 2, mlpSize: 16, isFirst }), new Random(1));
    const result = tf.tidy(() => {
      const random = new Random(2);
      const [tokens, cells] = [normal(random, [1, 1, 8]), normal(random, [1, 1, 8])];
      const cellPositions = normal(random, [1, 1, 8]);
      // One token and one cell: attention weights are 1, positions reach nothing but through values, where they
      // must not be.
      const at = (positions: tf.Tensor): Float32Array =>
        valuesOf(block.forward({ tokens, cells }, positions, cellPositions).tokens);
      return { tokens: at(tf.zeros([1, 1, 8])), moved: at(normal(random, [1, 1, 8])) };
    });
    block.dispose();
    return result;
  }

  test.each([true, false])('positions never reach the values (first block: %s)', (isFirst) => {
    const { tokens, moved } = influenceOfPositions(isFirst);
    expect(largestDifference(tokens, moved)).toBeLessThan(1e-6);
  });

  test('the first block has no residual around its self-attention', () => {
    const make = (isFirst: boolean): TwoWayBlock =>
      buildRandom(new TwoWayBlock({ depth: 1, size: 8, heads: 2, mlpSize: 16, isFirst }), new Random(1));
    const [first, later] = [make(true), make(false)];
    const zero = [...first.namedParameters()].filter(([name]) => name.startsWith('self_attn.out_proj.'));
    for (const [, { variable }] of zero) tf.tidy(() => variable.write(tf.zerosLike(variable.read())));
    for (const [name, { variable }] of later.namedParameters()) {
      if (name.startsWith('self_attn.out_proj.')) tf.tidy(() => variable.write(tf.zerosLike(variable.read())));
    }
    tf.tidy(() => {
      const random = new Random(2);
      const [a, b] = [normal(random, [1, 2, 8]), normal(random, [1, 2, 8])];
      const [cells, none] = [normal(random, [1, 3, 8]), tf.zeros([1, 2, 8])];
      const run = (block: TwoWayBlock, tokens: tf.Tensor): Float32Array =>
        valuesOf(block.forward({ tokens, cells }, none, tf.zeros([1, 3, 8])).tokens);
      // With a silent self-attention nothing of the tokens is left in the first block, all of them in a later one.
      expect(run(first, a)).toEqual(run(first, b));
      expect(largestDifference(run(later, a), run(later, b))).toBeGreaterThan(0.1);
    });
    first.dispose();
    later.dispose();
  });

  test('names what it expects', () => {
    const block = new TwoWayBlock({ ...CONFIG, isFirst: true });
    const x = tf.zeros([1, 1, 32]);
    expect(() => block.call([x])).toThrow('expected [tokens, cells, tokenPositions, cellPositions]');
    x.dispose();
  });
});
