/** LayerNorm and RMSNorm equal their formulas in double precision. */
import { beforeAll, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { LayerNorm, RmsNorm } from '../../src/nn/norms.js';
import { Random } from '../../src/random.js';
import { checkLayer } from '../check-layer.js';
import { layerNorm, toRows } from '../helpers/naive.js';
import { buildRandom, largestDifference, normal, stored, valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

checkLayer('LayerNorm', {
  create: () => new LayerNorm({ size: 6, epsilon: 1e-5 }),
  inputs: (random) => [normal(random, [2, 3, 6], 4)],
  outputShapes: [[2, 3, 6]],
  parameters: { weight: [6], bias: [6] },
});

checkLayer('RmsNorm', {
  create: () => new RmsNorm({ size: 6, epsilon: 1e-6 }),
  inputs: (random) => [normal(random, [2, 3, 6], 4)],
  outputShapes: [[2, 3, 6]],
  parameters: { weight: [6] },
});

test('LayerNorm: (x - mean) / sqrt(variance + ε) · weight + bias, per position; ε counts where x is nearly constant', () => {
  const layer = buildRandom(new LayerNorm({ size: 5, epsilon: 1e-2 }), new Random(1));
  const x = tf.tidy(() =>
    tf.concat([normal(new Random(2), [4, 5], 3), tf.add(7, normal(new Random(3), [2, 5], 0.01))], 0),
  );
  const y = tf.tidy(() => valuesOf(layer.forward(x)));
  const [weight, bias] = [stored(layer, 'weight').data, stored(layer, 'bias').data];
  const expected = toRows(valuesOf(x), 5).flatMap((row) => layerNorm(row, weight, bias, 1e-2));
  expect(largestDifference(y, expected)).toBeLessThan(3e-6);
  x.dispose();
  layer.dispose();
});

test('RmsNorm: x / sqrt(mean(x²) + ε) · weight, without taking the mean away', () => {
  const layer = buildRandom(new RmsNorm({ size: 5, epsilon: 1e-2 }), new Random(1));
  const x = tf.tidy(() =>
    tf.concat([tf.add(2, normal(new Random(2), [4, 5], 3)), normal(new Random(3), [2, 5], 0.01)], 0),
  );
  const y = tf.tidy(() => valuesOf(layer.forward(x)));
  const weight = stored(layer, 'weight').data;
  const expected = toRows(valuesOf(x), 5).flatMap((row) => {
    const scale = 1 / Math.sqrt(row.reduce((total, value) => total + value * value, 0) / row.length + 1e-2);
    return row.map((value, i) => value * scale * (weight[i] as number));
  });
  expect(largestDifference(y, expected)).toBeLessThan(3e-6);
  x.dispose();
  layer.dispose();
});
