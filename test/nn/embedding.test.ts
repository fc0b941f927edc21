/** Embedding reads rows of its table. */
import { beforeAll, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { Embedding } from '../../src/nn/embedding.js';
import { Random } from '../../src/random.js';
import { checkLayer } from '../check-layer.js';
import { buildRandom, stored, valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

checkLayer('Embedding', {
  create: () => new Embedding({ rows: 6, size: 3 }),
  inputs: () => [tf.tensor2d([0, 5, 2, 2], [2, 2], 'int32')],
  outputShapes: [[2, 2, 3]],
  parameters: { weight: [6, 3] },
});

test('gives the rows asked for; a row asked for twice gets the sum of both gradients', () => {
  const layer = buildRandom(new Embedding({ rows: 4, size: 2 }), new Random(1));
  const { data } = stored(layer, 'weight');
  tf.tidy(() => {
    const ids = tf.tensor1d([3, 0, 3], 'int32');
    expect([...valuesOf(layer.forward(ids))]).toEqual(
      [3, 0, 3].flatMap((row) => [...data.subarray(2 * row, 2 * row + 2)]),
    );
    const factors = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
    const { grads } = tf.variableGrads(() => tf.sum(tf.mul(layer.forward(ids), factors)));
    expect([...valuesOf(Object.values(grads)[0] as tf.Tensor)]).toEqual([3, 4, 0, 0, 0, 0, 6, 8]);
  });
  layer.dispose();
});
