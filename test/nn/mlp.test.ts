/** Mlp: ReLU between its linear layers, none after the last. */
import { beforeAll, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { Mlp } from '../../src/nn/mlp.js';
import { Random } from '../../src/random.js';
import { checkLayer } from '../check-layer.js';
import { linear, toRows } from '../helpers/naive.js';
import { buildRandom, largestDifference, normal, stored, valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

checkLayer('Mlp', {
  create: () => new Mlp({ sizes: [3, 6, 5, 2] }),
  inputs: (random) => [normal(random, [7, 3])],
  outputShapes: [[7, 2]],
  parameters: {
    'layers.0.weight': [6, 3],
    'layers.0.bias': [6],
    'layers.1.weight': [5, 6],
    'layers.1.bias': [5],
    'layers.2.weight': [2, 5],
    'layers.2.bias': [2],
  },
});

test('equals the definition; outputs may be negative', () => {
  const sizes = [3, 6, 4];
  const layer = buildRandom(new Mlp({ sizes }), new Random(1));
  const x = normal(new Random(2), [9, 3]);
  const y = tf.tidy(() => valuesOf(layer.forward(x)));
  const through = (rows: number[][], index: number): number[][] =>
    linear(
      rows,
      toRows(stored(layer, `layers.${index}.weight`).data, sizes[index] ?? 0),
      stored(layer, `layers.${index}.bias`).data,
    );
  const hidden = through(toRows(valuesOf(x), 3), 0).map((row) => row.map((value) => Math.max(0, value)));
  expect(largestDifference(y, through(hidden, 1).flat())).toBeLessThan(2e-6);
  expect(y.some((value) => value < 0)).toBe(true);
  x.dispose();
  layer.dispose();
});
