/** ψ: Linear, ReLU, Linear. */
import { beforeAll, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { MaskPrompt } from '../../../src/systems/shared/mask-prompt.js';
import { Random } from '../../../src/random.js';
import { checkLayer } from '../../check-layer.js';
import { linear, toRows } from '../../helpers/naive.js';
import { publishedShapes, TINY } from '../../helpers/small-model.js';
import { buildRandom, largestDifference, normal, stored, valuesOf } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

checkLayer('MaskPrompt', {
  create: () => new MaskPrompt({ hiddenSize: TINY.llm.hiddenSize, promptSize: TINY.sam.promptEmbedDim }),
  inputs: (random) => [normal(random, [7, 48])],
  outputShapes: [[7, 32]],
  parameters: publishedShapes('model.text_hidden_fcs.0.'),
});

test('equals the definition', () => {
  const layer = buildRandom(new MaskPrompt({ hiddenSize: 6, promptSize: 4 }), new Random(1));
  const x = normal(new Random(2), [5, 6]);
  const y = tf.tidy(() => valuesOf(layer.forward(x)));
  const through = (rows: number[][], index: string): number[][] =>
    linear(rows, toRows(stored(layer, `${index}.weight`).data, 6), stored(layer, `${index}.bias`).data);
  const hidden = through(toRows(valuesOf(x), 6), '0').map((row) => row.map((value) => Math.max(0, value)));
  expect(largestDifference(y, through(hidden, '2').flat())).toBeLessThan(3e-6);
  x.dispose();
  layer.dispose();
});
