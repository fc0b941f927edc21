/** Layer by layer gives the gradients of the whole, and keeps nothing. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { DecoderLm } from '../../src/networks/decoder-lm/decoder-lm.js';
import { GradientMap } from '../../src/nn/backprop.js';
import { backwardStack, forwardStack } from '../../src/nn/stack-gradients.js';
import { Random } from '../../src/random.js';
import { expectSameGradients, oneTape } from '../helpers/small-batches.js';
import { SMALL } from '../helpers/small-model.js';
import { buildRandom, largestDifference, normal, valuesOf, variablesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

describe('forwardStack and backwardStack', () => {
  test.each([null, 5])('equal one tape over all layers, dropout seed %s', (seed) => {
    const llama = buildRandom(new DecoderLm({ llm: SMALL.llm, lora: { ...SMALL.lora, dropout: 0.4 } }), new Random(1));
    const variables = llama.layers.map(
      (layer, i) => new Map([...variablesOf(layer)].map(([name, variable]) => [`layers.${i}.${name}`, variable])),
    );
    const layers = new Map(variables.flatMap((own) => [...own]));
    const [embeddings, outputGradient] = [2, 3].map((n) => normal(new Random(n), [2, 6, 12])) as [tf.Tensor, tf.Tensor];
    const lengths = [6, 4];
    const numTensors = tf.memory().numTensors;

    const gradients = new GradientMap();
    const inputGradient = tf.tidy(() => {
      const context = llama.context(0, 6, lengths, seed);
      const stack = llama.stack(context);
      const outputs = forwardStack(stack, embeddings);
      expect(outputs).toHaveLength(2);
      const dy = tf.clone(outputGradient);
      const gradient = backwardStack(stack, embeddings, outputs, dy, variables, gradients);
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
