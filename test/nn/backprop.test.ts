/** Gradients of one segment, and of several added up. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { differentiate, GradientMap } from '../../src/nn/backprop.js';
import { valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

describe('differentiate', () => {
  test('a loss: value, gradients of inputs, and of variables into the map', () => {
    const numTensors = tf.memory().numTensors;
    const x = tf.tensor1d([1, 2]);
    const unused = tf.tensor1d([5, 5, 5]);
    const w = tf.tidy(() => tf.variable(tf.tensor1d([3, 4])));
    const gradients = new GradientMap();
    const { value, inputs } = differentiate(() => tf.sum(tf.mul(x, w)), [x, unused], new Map([['w', w]]), gradients);
    expect(valuesOf(value)[0]).toBe(11);
    expect(inputs.map((input) => [...valuesOf(input)])).toEqual([
      [3, 4],
      [0, 0, 0],
    ]);
    expect([...gradients.tensors].map(([name, gradient]) => [name, [...valuesOf(gradient)]])).toEqual([['w', [1, 2]]]);
    expect(tf.memory().numTensors).toBe(numTensors + 3 + 1 + 2 + 1);
    tf.dispose([value, ...inputs, ...gradients.tensors.values(), x, unused, w]);
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  test('an inner segment: multiplied by the gradient of its output; a variable out of reach is left out', () => {
    tf.tidy(() => {
      const x = tf.tensor1d([1, 2]);
      const [w, idle] = [tf.variable(tf.tensor1d([3, 4])), tf.variable(tf.scalar(1))];
      const gradients = new GradientMap();
      const variables = new Map<string, tf.Variable>([
        ['w', w],
        ['idle', idle],
      ]);
      const { inputs } = differentiate(() => tf.mul(x, w), [x], variables, gradients, tf.tensor1d([10, 100]));
      expect([...valuesOf(inputs[0] as tf.Tensor)]).toEqual([30, 400]);
      expect([...gradients.tensors.keys()]).toEqual(['w']);
      expect([...valuesOf(gradients.tensors.get('w') as tf.Tensor)]).toEqual([10, 200]);
      tf.dispose([w, idle]);
    });
  });
});

test('GradientMap adds what several segments say and frees the parts', () => {
  const numTensors = tf.memory().numTensors;
  const gradients = new GradientMap();
  gradients.add('a', tf.tensor1d([1, 2]));
  gradients.add('b', tf.tensor1d([7]));
  gradients.add('a', tf.tensor1d([10, 20]));
  expect(tf.memory().numTensors).toBe(numTensors + 2);
  expect([...gradients.tensors].map(([name, gradient]) => [name, [...valuesOf(gradient)]])).toEqual([
    ['a', [11, 22]],
    ['b', [7]],
  ]);
  tf.dispose([...gradients.tensors.values()]);
});
