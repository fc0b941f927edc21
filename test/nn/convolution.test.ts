/** The convolutions equal loops over pixels with PyTorch's weights, and their weights survive storing. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { fromStored, toStored } from '../../src/checkpoints/weights.js';
import type { CompositeLayer } from '../../src/nn/composite-layer.js';
import { PatchConvolution, PatchDeconvolution, SameConvolution } from '../../src/nn/convolution.js';
import { Random } from '../../src/random.js';
import { checkLayer } from '../check-layer.js';
import { convolve, convolveTransposed, type Grid } from '../helpers/naive.js';
import { buildRandom, largestDifference, normal, stored, valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

checkLayer('PatchConvolution', {
  create: () => new PatchConvolution({ inputSize: 3, outputSize: 5, kernel: 2 }),
  inputs: (random) => [normal(random, [2, 4, 6, 3])],
  outputShapes: [[2, 2, 3, 5]],
  parameters: { weight: [5, 3, 2, 2], bias: [5] },
});

checkLayer('SameConvolution', {
  create: () => new SameConvolution({ inputSize: 2, outputSize: 5, kernel: 3, useBias: false }),
  inputs: (random) => [normal(random, [2, 4, 3, 2])],
  outputShapes: [[2, 4, 3, 5]],
  parameters: { weight: [5, 2, 3, 3] },
});

checkLayer('PatchDeconvolution', {
  create: () => new PatchDeconvolution({ inputSize: 4, outputSize: 3, kernel: 2 }),
  inputs: (random) => [normal(random, [2, 3, 2, 4])],
  outputShapes: [[2, 6, 4, 3]],
  parameters: { weight: [4, 3, 2, 2], bias: [3] },
});

type Naive = (
  input: Grid,
  weight: { shape: number[]; data: Float32Array },
  bias: Float32Array | null,
) => { data: number[] };

/** Batch item by batch item against the naive convolution. */
function expectConvolution(layer: CompositeLayer, inputShape: [number, number, number, number], naive: Naive): void {
  buildRandom(layer, new Random(3));
  const x = normal(new Random(4), inputShape);
  const y = tf.tidy(() => valuesOf(layer.call(x, {}) as tf.Tensor));
  const [batch, height, width, channels] = inputShape;
  const bias = layer.namedParameters().has('bias') ? stored(layer, 'bias').data : null;
  const size = height * width * channels;
  const expected = Array.from({ length: batch }, (_, item) => {
    const data = valuesOf(x).subarray(item * size, (item + 1) * size);
    return naive({ height, width, channels, data }, stored(layer, 'weight'), bias).data;
  });
  expect(largestDifference(y, expected.flat())).toBeLessThan(3e-6);
  x.dispose();
  layer.dispose();
}

describe('against loops in double precision', () => {
  test.each([
    [1, true],
    [2, true],
    [4, false],
  ])('PatchConvolution, kernel %d, bias %s', (kernel, useBias) => {
    const layer = new PatchConvolution({ inputSize: 3, outputSize: 4, kernel, useBias });
    expectConvolution(layer, [2, 8, 4, 3], (input, weight, bias) =>
      convolve(input, weight, bias, { stride: kernel, padding: 0 }),
    );
  });

  test.each([
    [1, true],
    [3, true],
    [3, false],
    [5, true],
  ])('SameConvolution, kernel %d, bias %s', (kernel, useBias) => {
    const layer = new SameConvolution({ inputSize: 3, outputSize: 4, kernel, useBias });
    expectConvolution(layer, [2, 5, 6, 3], (input, weight, bias) =>
      convolve(input, weight, bias, { stride: 1, padding: (kernel - 1) / 2 }),
    );
  });

  test.each([1, 2, 3])('PatchDeconvolution, kernel %d', (kernel) => {
    const layer = new PatchDeconvolution({ inputSize: 4, outputSize: 3, kernel });
    expectConvolution(layer, [2, 3, 5, 4], (input, weight, bias) => {
      if (bias === null) throw new Error('a bias was expected');
      return convolveTransposed(input, weight, bias);
    });
  });
});

const LAYERS: readonly (readonly [string, () => CompositeLayer])[] = [
  ['PatchConvolution', () => new PatchConvolution({ inputSize: 3, outputSize: 4, kernel: 2 })],
  ['SameConvolution', () => new SameConvolution({ inputSize: 3, outputSize: 4, kernel: 3 })],
  ['PatchDeconvolution', () => new PatchDeconvolution({ inputSize: 3, outputSize: 4, kernel: 2 })],
];

test.each(LAYERS)('%s: stored and read back, every weight is where it was', async (_name, create) => {
  const layer = buildRandom(create(), new Random(5));
  for (const [name, { variable, layout }] of layer.namedParameters()) {
    const there = await toStored(variable.read(), layout);
    const back = fromStored({ ...there, dtype: 'F32' }, variable.shape as number[], layout, name);
    expect(back.shape).toEqual(variable.shape);
    expect(valuesOf(back)).toEqual(valuesOf(variable.read()));
    back.dispose();
  }
  layer.dispose();
});
