/** mlp1: V1 from blocks, HQ from patches repeated or from blocks at every place. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { BlockProjector, blocksAtEveryPlace, replicated } from '../../../src/systems/self1e/block-projector.js';
import { Random } from '../../../src/random.js';
import { checkLayer } from '../../check-layer.js';
import { buildRandom, largestDifference, normal, valuesOf } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

checkLayer('BlockProjector', {
  create: () => new BlockProjector({ visionSize: 3, textSize: 5 }),
  inputs: (random) => [normal(random, [2, 4, 12])],
  outputShapes: [[2, 4, 5]],
  parameters: {
    '0.weight': [12],
    '0.bias': [12],
    '1.weight': [5, 12],
    '1.bias': [5],
    '3.weight': [5, 5],
    '3.bias': [5],
  },
});

test('replicated: every vector four times along the channels', () => {
  tf.tidy(() => {
    const found = replicated(tf.tensor4d([1, 2, 3, 4], [1, 1, 2, 2]));
    expect(found.arraySync()).toEqual([
      [
        [
          [1, 2, 1, 2, 1, 2, 1, 2],
          [3, 4, 3, 4, 3, 4, 3, 4],
        ],
      ],
    ]);
  });
});

describe('blocksAtEveryPlace', () => {
  test('the block that begins at each place, by hand; beyond the border stands the border', () => {
    tf.tidy(() => {
      const found = blocksAtEveryPlace(tf.tensor4d([1, 2, 3, 4, 5, 6], [1, 2, 3, 1]));
      expect(found.arraySync()[0]).toEqual([
        [
          [1, 2, 4, 5],
          [2, 3, 5, 6],
          [3, 3, 6, 6],
        ],
        [
          [4, 5, 4, 5],
          [5, 6, 5, 6],
          [6, 6, 6, 6],
        ],
      ]);
    });
  });

  test('at even places it is the pixel shuffle: V1 is among the scanned features', () => {
    const projector = buildRandom(new BlockProjector({ visionSize: 3, textSize: 5 }), new Random(1));
    tf.tidy(() => {
      const patches = normal(new Random(2), [2, 4, 6, 3]) as tf.Tensor4D;
      const fine = projector.fine(patches, 'scanning') as tf.Tensor4D;
      expect(fine.shape).toEqual([2, 4, 6, 5]);
      const even = tf.stridedSlice(fine, [0, 0, 0, 0], fine.shape, [1, 2, 2, 1]);
      expect(largestDifference(valuesOf(even), valuesOf(projector.tokens(patches)))).toBeLessThan(1e-6);
      expect(projector.fine(patches, 'none')).toBeNull();
    });
    projector.dispose();
  });
});
