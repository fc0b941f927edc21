/** Linear, Mlp, Embedding, LayerNorm and RmsNorm equal their definitions in double precision (PyTorch's layouts). */
import { beforeAll, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { Embedding, LayerNorm, Linear, Mlp, RmsNorm } from '../../src/nn/layers.js';
import { Random } from '../../src/random.js';
import { checkLayer } from '../check-layer.js';
import { layerNorm, linear, toRows } from '../helpers/naive.js';
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

test.each([true, false])('Linear equals the definition in double precision, bias %s', (useBias) => {
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

test('Mlp equals the definition; outputs may be negative', () => {
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

checkLayer('Embedding', {
  create: () => new Embedding({ rows: 6, size: 3 }),
  inputs: () => [tf.tensor2d([0, 5, 2, 2], [2, 2], 'int32')],
  outputShapes: [[2, 2, 3]],
  parameters: { weight: [6, 3] },
});

test('Embedding gives the rows asked for; a row asked for twice gets the sum of both gradients', () => {
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
