/** LoRA: equal to its merged weight, silent while B is zero, dropout decided by the seed. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { LoraLinear } from '../../src/networks/lora.js';
import { Random } from '../../src/random.js';
import { checkLayer } from '../check-layer.js';
import { buildRandom, largestDifference, normal, valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

checkLayer('LoraLinear', {
  create: () => new LoraLinear({ inputSize: 5, outputSize: 4, useBias: false, r: 2, alpha: 6, dropout: 0.5 }),
  inputs: (random) => [normal(random, [2, 3, 5])],
  outputShapes: [[2, 3, 4]],
  parameters: { weight: [4, 5], 'lora_A.default.weight': [2, 5], 'lora_B.default.weight': [4, 2] },
});

describe('LoraLinear', () => {
  test('equals x times the merged weight, which is the weight itself as long as B is zero', () => {
    const config = { inputSize: 6, outputSize: 5, useBias: false, r: 3, alpha: 12, dropout: 0.1 };
    const layer = buildRandom(new LoraLinear(config), new Random(1));
    const fresh = new LoraLinear(config);
    fresh.build();
    fresh.randomize(new Random(2));
    const atStart = tf.memory().numTensors;
    tf.tidy(() => {
      const x = normal(new Random(3), [2, 7, 6]);
      const merged = layer.mergedWeight();
      const expected = tf.matMul(tf.reshape(x, [14, 6]), merged);
      expect(largestDifference(valuesOf(layer.forward(x)), valuesOf(expected))).toBeLessThan(5e-6);
      const weight = fresh.namedParameters().get('weight')?.variable.read() as tf.Tensor;
      expect(valuesOf(fresh.mergedWeight())).toEqual(valuesOf(weight));
      expect(
        largestDifference(
          valuesOf(fresh.forward(x)),
          valuesOf(tf.matMul(tf.reshape(x, [14, 6]), weight as tf.Tensor2D)),
        ),
      ).toBeLessThan(2e-6);
    });
    const kept = layer.mergedWeight();
    expect(tf.memory().numTensors).toBe(atStart + 1);
    tf.dispose(kept);
    layer.dispose();
    fresh.dispose();
  });

  test('dropout: the same for the same seed, another for another, none without; kept inputs are scaled up', () => {
    const size = 40;
    const layer = new LoraLinear({
      inputSize: size,
      outputSize: size,
      useBias: false,
      r: size,
      alpha: size,
      dropout: 0.25,
    });
    layer.build();
    // W = 0 and A = B = identity: the output is what dropout leaves of the input.
    for (const [name, { variable }] of layer.namedParameters()) {
      if (name === 'weight') continue;
      tf.tidy(() => {
        variable.write(tf.eye(size));
      });
    }
    tf.tidy(() => {
      const x = tf.ones([50, size]);
      const run = (seed: number | null): Float32Array => valuesOf(layer.forward(x, seed));
      expect(run(5)).toEqual(run(5));
      expect(run(0)).toEqual(run(0));
      expect(run(5)).not.toEqual(run(6));
      expect(new Set(run(null))).toEqual(new Set([1]));
      const kept = run(5).filter((value) => value > 0);
      expect(new Set(run(5))).toEqual(new Set([0, Math.fround(1 / 0.75)]));
      expect(kept.length / (50 * size)).toBeCloseTo(0.75, 1);
    });
    layer.dispose();
  });
});
