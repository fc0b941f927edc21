/** F_V1: published parameters, which hidden state it gives, where a patch goes. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { UserError } from '../../../src/errors.js';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { ClipEncoderLayer, ClipVisionTower, patchCount } from '../../../src/networks/clip/vision-tower.js';
import { Random } from '../../../src/random.js';
import { checkLayer } from '../../check-layer.js';
import { publishedShapes, SMALL, TINY } from '../../helpers/small-model.js';
import { buildRandom, largestDifference, normal, valuesOf } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

const PUBLISHED = 'model.vision_tower.vision_tower.vision_model.';

checkLayer('ClipEncoderLayer', {
  create: () => new ClipEncoderLayer(TINY.clip),
  inputs: (random) => [normal(random, [2, 5, 32])],
  outputShapes: [[2, 5, 32]],
  parameters: publishedShapes(`${PUBLISHED}encoder.layers.0.`),
  withoutGradient: /k_proj\.bias$/,
});

checkLayer('ClipVisionTower', {
  create: () => new ClipVisionTower(TINY.clip),
  inputs: (random) => [normal(random, [2, 56, 56, 3])],
  outputShapes: [[2, 16, 32]],
  parameters: publishedShapes(PUBLISHED),
  // select_layer -2 of 3: the last layer and the norm after it are not read.
  withoutGradient: /k_proj\.bias$|^encoder\.layers\.2\.|^post_layernorm\./,
});

/** Features of the same weights and image, read after `selectLayer`. */
function featuresAt(selectLayer: number): Float32Array {
  const tower = buildRandom(new ClipVisionTower({ ...SMALL.clip, numHiddenLayers: 3, selectLayer }), new Random(1));
  const values = tf.tidy(() => valuesOf(tower.forward(normal(new Random(2), [2, 8, 8, 3]))));
  tower.dispose();
  return values;
}

describe('ClipVisionTower', () => {
  test('selectLayer counts hidden states from the embedding (0) or back from the last layer (-1)', () => {
    const states = [0, 1, 2, 3].map(featuresAt);
    expect([-1, -2, -3, -4].map(featuresAt)).toEqual([...states].reverse());
    for (const [index, state] of states.entries()) {
      for (const other of states.slice(0, index)) expect(largestDifference(state, other)).toBeGreaterThan(0.01);
    }
  });

  test('the class token takes part in attention, though it is dropped from the features', () => {
    const config = { ...SMALL.clip, numHiddenLayers: 1 };
    const embedding = buildRandom(new ClipVisionTower({ ...config, selectLayer: 0 }), new Random(1));
    const tower = buildRandom(new ClipVisionTower({ ...config, selectLayer: 1 }), new Random(1));
    tf.tidy(() => {
      const images = normal(new Random(2), [1, 8, 8, 3]);
      const layer = new ClipEncoderLayer(config);
      layer.build();
      for (const [name, { variable }] of layer.namedParameters()) {
        variable.write(tower.namedParameters().get(`encoder.layers.0.${name}`)?.variable.read() as tf.Tensor);
      }
      const withoutClass = layer.forward(embedding.forward(images));
      expect(largestDifference(valuesOf(tower.forward(images)), valuesOf(withoutClass))).toBeGreaterThan(1e-3);
      layer.dispose();
    });
    embedding.dispose();
    tower.dispose();
  });

  test('a patch goes to its own token, row by row, and the batch does not mix', () => {
    const tower = buildRandom(new ClipVisionTower({ ...SMALL.clip, selectLayer: 0 }), new Random(1));
    expect(patchCount(SMALL.clip)).toBe(4);
    tf.tidy(() => {
      const images = normal(new Random(2), [2, 8, 8, 3]);
      // Changes the upper right patch of the second image.
      const change = tf.pad(tf.ones([1, 4, 4, 3]), [
        [1, 0],
        [0, 4],
        [4, 0],
        [0, 0],
      ]);
      const difference = tf.sub(tower.forward(tf.add(images, change)), tower.forward(images));
      const moved = tf.max(tf.abs(difference), 2).dataSync();
      expect(Array.from(moved, (value) => value > 1e-6)).toEqual([
        false,
        false,
        false,
        false,
        false,
        true,
        false,
        false,
      ]);
    });
    tower.dispose();
  });

  test('an activation that is not known is named', () => {
    const create = (): ClipVisionTower => new ClipVisionTower({ ...SMALL.clip, hiddenAct: 'relu6' });
    expect(create).toThrow(UserError);
    expect(create).toThrow('clip.hidden_act "relu6" is not known; known are quick_gelu, gelu');
  });
});
