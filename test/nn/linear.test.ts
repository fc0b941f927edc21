/** Linear is PyTorch's nn.Linear: x·Wᵀ + b with W stored [out, in]. */
import { beforeAll, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { Linear } from '../../src/nn/linear.js';
import { Random } from '../../src/random.js';
import { checkLayer } from '../check-layer.js';
import { linear, toRows } from '../helpers/naive.js';
import { buildRandom, largestDifference, normal, stored, valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

checkLayer('Linear', {
  create: () => new Linear({ inputSize: 3, outputSize: 5 }),
  inputs: (random) => [normal(random, [2, 4, 3])],
  outputShapes: [[2, 4, 5]],
  parameters: { weight: [5, 3], bias: [5] },
});

test.each([true, false])('equals the definition in double precision, bias %s', (useBias) => {
  const layer = buildRandom(new Linear({ inputSize: 7, outputSize: 4, useBias }), new Random(1));
  expect([...layer.namedParameters().keys()]).toEqual(useBias ? ['weight', 'bias'] : ['weight']);
  const x = normal(new Random(2), [2, 3, 7]);
  const y = tf.tidy(() => valuesOf(layer.forward(x)));
  const bias = useBias ? stored(layer, 'bias').data : null;
  const expected = linear(toRows(valuesOf(x), 7), toRows(stored(layer, 'weight').data, 7), bias);
  expect(largestDifference(y, expected.flat())).toBeLessThan(2e-6);
  x.dispose();
  layer.dispose();
});
