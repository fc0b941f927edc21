/** CompositeLayer: names, order, randomness, trainability of layers made of layers. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { CompositeLayer, single } from '../../src/nn/composite-layer.js';
import { LayerNorm, Linear } from '../../src/nn/layers.js';
import { Random } from '../../src/random.js';
import { valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

class Pair extends CompositeLayer {
  static readonly className = 'TestPair';
  readonly norm = this.track('deep.norm', new LayerNorm({ size: 2, epsilon: 1e-5 }));
  readonly same = this.track('', new Linear({ inputSize: 2, outputSize: 3 }));
  readonly readScale = this.parameter('scale', [2], { constant: 3 });

  trackTwice(): void {
    this.track('deep.norm', new LayerNorm({ size: 2, epsilon: 1e-5 }));
  }
}

class Outer extends CompositeLayer {
  static readonly className = 'TestOuter';
  readonly pairs = [0, 1].map((index) => this.track(`pairs.${index}`, new Pair()));
}

const PAIR_NAMES = ['scale', 'deep.norm.weight', 'deep.norm.bias', 'weight', 'bias'];

describe('CompositeLayer', () => {
  test('names parameters by path: own first, then children in order; an empty name adds no level', () => {
    const layer = new Outer();
    layer.build();
    const expected = [0, 1].flatMap((index) => PAIR_NAMES.map((name) => `pairs.${index}.${name}`));
    expect([...layer.namedParameters().keys()]).toEqual(expected);
    expect([...layer.namedParameters('model.').keys()]).toEqual(expected.map((name) => `model.${name}`));
    layer.dispose();
  });

  test('starts constants as declared and random parameters at zero until randomize, which depends on the seed alone', () => {
    const layers = [7, 7, 8].map((seed) => {
      const layer = new Pair();
      layer.build();
      expect([...valuesOf(layer.readScale())]).toEqual([3, 3]);
      expect([...valuesOf(layer.same.namedParameters().get('weight')?.variable.read() as tf.Tensor)]).toEqual([
        0, 0, 0, 0, 0, 0,
      ]);
      layer.randomize(new Random(seed));
      return layer;
    });
    const [a, b, c] = layers.map((layer) =>
      [...layer.namedParameters().values()].map(({ variable }) => [...valuesOf(variable.read())]),
    );
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
    expect(a?.[0]).toEqual([3, 3]);
    for (const layer of layers) layer.dispose();
  });

  test('builds once and complains about reading before, and about a name given twice', () => {
    const layer = new Pair();
    expect(() => layer.readScale()).toThrow('TestPair: parameter "scale" is read before build()');
    expect(() => {
      layer.trackTwice();
    }).toThrow('child "deep.norm" is tracked twice');
    layer.build();
    const scale = layer.readScale();
    layer.build();
    expect(layer.readScale()).toBe(scale);
    layer.dispose();
  });

  test('a child that is frozen is not among the trainable weights, but among all', () => {
    const layer = new Outer();
    layer.build();
    const [first] = layer.pairs;
    if (first === undefined) throw new Error('no child');
    first.norm.trainable = false;
    expect([layer.trainableWeights.length, layer.nonTrainableWeights.length, layer.weights.length]).toEqual([8, 2, 10]);
    expect(new Set(layer.nonTrainableWeights)).toEqual(new Set(first.norm.weights));
    layer.trainable = false;
    expect([layer.trainableWeights.length, layer.nonTrainableWeights.length]).toEqual([0, 10]);
    layer.dispose();
  });

  test('can be built again after disposal of another of its kind: weights are not shared', () => {
    const atStart = tf.memory().numTensors;
    const [a, b] = [new Pair(), new Pair()];
    a.build();
    b.build();
    a.dispose();
    expect([...valuesOf(b.readScale())]).toEqual([3, 3]);
    b.dispose();
    expect(tf.memory().numTensors).toBe(atStart);
  });
});

test('single takes one tensor, alone or in a list, and nothing else', () => {
  const x = tf.scalar(1);
  expect(single(x)).toBe(x);
  expect(single([x])).toBe(x);
  expect(() => single([])).toThrow('found 0');
  expect(() => single([x, x])).toThrow('found 2');
  x.dispose();
});
