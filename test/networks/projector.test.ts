/** φ in its three published forms. */
import { beforeAll, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { Projector } from '../../src/networks/projector.js';
import { Random } from '../../src/random.js';
import { checkLayer } from '../check-layer.js';
import { gelu, linear, toRows } from '../helpers/naive.js';
import { publishedShapes, TINY } from '../helpers/small-model.js';
import { buildRandom, largestDifference, normal, stored, valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

checkLayer('Projector', {
  create: () => new Projector({ type: 'linear', visionSize: TINY.clip.hiddenSize, textSize: TINY.llm.hiddenSize }),
  inputs: (random) => [normal(random, [2, 5, 32])],
  outputShapes: [[2, 5, 48]],
  parameters: publishedShapes('model.mm_projector.'),
});

checkLayer('Projector of type mlp2x_gelu', {
  create: () => new Projector({ type: 'mlp2x_gelu', visionSize: 3, textSize: 4 }),
  inputs: (random) => [normal(random, [2, 5, 3])],
  outputShapes: [[2, 5, 4]],
  parameters: { '0.weight': [4, 3], '0.bias': [4], '2.weight': [4, 4], '2.bias': [4] },
});

checkLayer('Projector of type identity', {
  create: () => new Projector({ type: 'identity', visionSize: 4, textSize: 4 }),
  inputs: (random) => [normal(random, [2, 5, 4])],
  outputShapes: [[2, 5, 4]],
  parameters: {},
});

test('mlp2x_gelu is linear, exact GELU, linear; identity changes nothing', () => {
  const layer = buildRandom(new Projector({ type: 'mlp2x_gelu', visionSize: 3, textSize: 4 }), new Random(1));
  const x = normal(new Random(2), [2, 5, 3], 2);
  const y = tf.tidy(() => valuesOf(layer.forward(x)));
  const through = (rows: number[][], index: string, width: number): number[][] =>
    linear(rows, toRows(stored(layer, `${index}.weight`).data, width), stored(layer, `${index}.bias`).data);
  const hidden = through(toRows(valuesOf(x), 3), '0', 3).map((row) => row.map(gelu));
  expect(largestDifference(y, through(hidden, '2', 4).flat())).toBeLessThan(5e-6);
  layer.dispose();

  const identity = new Projector({ type: 'identity', visionSize: 3, textSize: 3 });
  expect(valuesOf(identity.forward(x))).toEqual(valuesOf(x));
  x.dispose();
});
