/** Multi-head attention equals a naive one, and its reshapes keep heads apart. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { Attention, attend as attendTensors, mergeHeads, splitHeads } from '../../src/nn/attention.js';
import { Random } from '../../src/random.js';
import { checkLayer } from '../check-layer.js';
import { attend, linear, type Matrix, toRows } from '../helpers/naive.js';
import { buildRandom, largestDifference, normal, stored, valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

checkLayer('Attention', {
  create: () => new Attention({ size: 8, innerSize: 4, heads: 2 }),
  inputs: (random) => [normal(random, [2, 3, 8]), normal(random, [2, 5, 8]), normal(random, [2, 5, 8])],
  outputShapes: [[2, 3, 8]],
  parameters: {
    'q_proj.weight': [4, 8],
    'q_proj.bias': [4],
    'k_proj.weight': [4, 8],
    'k_proj.bias': [4],
    'v_proj.weight': [4, 8],
    'v_proj.bias': [4],
    'out_proj.weight': [8, 4],
    'out_proj.bias': [8],
  },
  withoutGradient: /k_proj\.bias$/,
});

/** Inputs by batch item, [B, T, D] → B matrices. */
function items(x: tf.Tensor): Matrix[] {
  const [batch = 0, time = 0, width = 0] = x.shape;
  const values = valuesOf(x);
  return Array.from({ length: batch }, (_, b) =>
    toRows(values.subarray(b * time * width, (b + 1) * time * width), width),
  );
}

function naive(layer: Attention, heads: number, query: Matrix, key: Matrix, value: Matrix): Matrix {
  const project = (name: string, x: Matrix): Matrix => {
    const { data, shape } = stored(layer, `${name}.weight`);
    return linear(x, toRows(data, shape[1] ?? 0), stored(layer, `${name}.bias`).data);
  };
  return project('out_proj', attend(project('q_proj', query), project('k_proj', key), project('v_proj', value), heads));
}

describe('Attention', () => {
  test.each([
    { size: 8, innerSize: 8, heads: 2 },
    { size: 8, innerSize: 4, heads: 4 },
    { size: 6, innerSize: 6, heads: 1 },
  ])('equals the definition for %j', (config) => {
    const layer = buildRandom(new Attention(config), new Random(1));
    const random = new Random(2);
    const [query, key, value] = [3, 5, 5].map((time) => normal(random, [2, time, config.size])) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const y = tf.tidy(() => valuesOf(layer.forward(query, key, value)));
    const [queries, keys, values] = [items(query), items(key), items(value)];
    const expected = queries.map((q, b) => naive(layer, config.heads, q, keys[b] ?? [], values[b] ?? []));
    expect(largestDifference(y, expected.flat(2))).toBeLessThan(5e-6);
    tf.dispose([query, key, value]);
    layer.dispose();
  });

  test('one input attends to itself', () => {
    const layer = buildRandom(new Attention({ size: 4, innerSize: 4, heads: 2 }), new Random(1));
    tf.tidy(() => {
      const x = normal(new Random(2), [2, 3, 4]);
      expect(valuesOf(layer.call(x))).toEqual(valuesOf(layer.forward(x, x, x)));
    });
    expect(() => layer.call([])).toThrow('no input');
    layer.dispose();
  });
});

test('splitHeads puts consecutive columns into a head; mergeHeads undoes it', () => {
  tf.tidy(() => {
    const x = tf.reshape(tf.range(0, 2 * 3 * 4), [2, 3, 4]);
    const split = splitHeads(x, 2);
    expect(split.shape).toEqual([2, 2, 3, 2]);
    expect([...valuesOf(split)].slice(0, 12)).toEqual([0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11]);
    expect(valuesOf(mergeHeads(split))).toEqual(valuesOf(x));
  });
});

describe('attend', () => {
  test.each([
    { n: 3, queries: 1500, keys: 1500 }, // one product at a time
    { n: 5, queries: 1024, keys: 2048 }, // two, two, one
    { n: 2, queries: 2100, keys: 2000 }, // one product is more than is to be computed at once
  ])('in pieces equals attention product by product: %j', ({ n, queries, keys }) => {
    const random = new Random(3);
    const [q, k, v] = [normal(random, [n, queries, 2]), normal(random, [n, keys, 2]), normal(random, [n, keys, 3])] as [
      tf.Tensor3D,
      tf.Tensor3D,
      tf.Tensor3D,
    ];
    const before = tf.memory().numTensors;
    const found = tf.tidy(() => attendTensors(q, k, v));
    expect(found.shape).toEqual([n, queries, 3]);
    expect(tf.memory().numTensors).toBe(before + 1);
    const expected = tf.tidy(() =>
      tf.stack(
        Array.from({ length: n }, (_, i) => {
          const one = (x: tf.Tensor): tf.Tensor2D => tf.squeeze(tf.slice(x, i, 1), [0]);
          return tf.matMul(tf.softmax(tf.matMul(one(q), one(k), false, true)), one(v));
        }),
      ),
    );
    expect(largestDifference(valuesOf(found), valuesOf(expected))).toBeLessThan(2e-5);
    tf.dispose([q, k, v, found, expected]);
  });
});
