/** Segment by segment gives the gradients of the whole, and keeps nothing. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { Llama } from '../../src/networks/decoder-lm/llama.js';
import { Random } from '../../src/random.js';
import {
  backwardLayers,
  differentiate,
  forwardLayers,
  GradientMap,
  variablesUnder,
} from '../../src/training/backprop.js';
import { SMALL } from '../helpers/small-model.js';
import { buildRandom, largestDifference, normal, valuesOf, variablesOf } from '../helpers/tensors.js';
import { expectSameGradients, oneTape } from './small-batches.js';

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

test('variablesUnder keeps order and takes any of the prefixes', () => {
  const variable = tf.tidy(() => tf.variable(tf.scalar(1)));
  const names = ['model.layers.1.x', 'model.layers.10.x', 'lm_head.x', 'model.norm.x'];
  const variables = new Map(names.map((name) => [name, variable]));
  expect([...variablesUnder(variables, 'model.layers.1.', 'model.norm.').keys()]).toEqual([
    'model.layers.1.x',
    'model.norm.x',
  ]);
  expect(variablesUnder(variables).size).toBe(0);
  variable.dispose();
});

describe('forwardLayers and backwardLayers', () => {
  test.each([null, 5])('equal one tape over all layers, dropout seed %s', (seed) => {
    const llama = buildRandom(new Llama({ llm: SMALL.llm, lora: { ...SMALL.lora, dropout: 0.4 } }), new Random(1));
    // Under the names that the layers have in the whole model.
    const variables = new Map([...variablesOf(llama)].map(([name, variable]) => [`model.${name}`, variable]));
    const layers = variablesUnder(variables, 'model.layers.');
    const [embeddings, outputGradient] = [2, 3].map((n) => normal(new Random(n), [2, 6, 12])) as [tf.Tensor, tf.Tensor];
    const lengths = [6, 4];
    const numTensors = tf.memory().numTensors;

    const gradients = new GradientMap();
    const inputGradient = tf.tidy(() => {
      const context = llama.context(0, 6, lengths, seed);
      const outputs = forwardLayers(llama, embeddings, context);
      expect(outputs).toHaveLength(2);
      const dy = tf.clone(outputGradient);
      const gradient = backwardLayers(llama, embeddings, outputs, context, dy, variables, gradients);
      expect([...outputs, dy].every((tensor) => tensor.isDisposed)).toBe(true);
      gradients.tensors.forEach((tensor) => tf.keep(tensor));
      return gradient;
    });
    expect(tf.memory().numTensors).toBe(numTensors + 1 + layers.size);

    const whole = (x: tf.Tensor): tf.Scalar =>
      tf.tidy(() => {
        let hidden = x;
        const context = llama.context(0, 6, lengths, seed);
        for (const [index, layer] of llama.layers.entries()) {
          const dropoutSeed = seed === null ? null : seed + 16 * index;
          [hidden] = layer.forward(hidden, { ...context, dropoutSeed });
        }
        return tf.sum(tf.mul(hidden, outputGradient));
      });
    expectSameGradients(
      gradients.tensors,
      oneTape(() => whole(embeddings), layers),
    );
    const expected = tf.tidy(() => valuesOf(tf.grad(whole)(embeddings)));
    expect(largestDifference(valuesOf(inputGradient), expected)).toBeLessThan(1e-5);
    tf.dispose([inputGradient, ...gradients.tensors.values(), embeddings, outputGradient]);
    llama.dispose();
  });
});
