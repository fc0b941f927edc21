/** The joint step: the same gradients as the segment-by-segment step where both have them, slopes elsewhere. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { Random } from '../../src/random.js';
import { gsvaStep } from '../../src/training/gsva-step.js';
import { type JointBatch, jointStep } from '../../src/training/joint-step.js';
import { trainableVariables } from '../../src/training/trainable.js';
import { SMALL, smallModel } from '../helpers/small-model.js';
import { normal, valuesOf } from '../helpers/tensors.js';
import { expectSameGradients, expectSlopes, gsvaBatch, gsvaBatchWithoutMasks } from './small-batches.js';

const { seg } = SMALL.tokens;

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

function jointBatch(make = gsvaBatch): JointBatch & { samImages: tf.Tensor4D } {
  const random = new Random(4);
  const { tokens, targets } = make();
  return {
    tokens,
    targets,
    clipImages: normal(random, [2, 8, 8, 3]) as tf.Tensor4D,
    samImages: normal(random, [2, 32, 32, 3]) as tf.Tensor4D,
  };
}

describe('jointStep', () => {
  test.each([
    { what: 'a batch with masks', make: gsvaBatch },
    { what: 'a batch that asks for none', make: gsvaBatchWithoutMasks },
  ])('losses and gradients equal those of gsvaStep on the encoded images: $what', async ({ make }) => {
    const gsva = smallModel(1);
    const batch = jointBatch(make);
    const variables = trainableVariables(gsva, 'gsva');
    const [clipFeatures, imageEmbeddings] = tf.tidy(() => [
      gsva.visionTower.forward(batch.clipImages),
      gsva.imageEncoder.forward(batch.samImages),
    ]);
    const { tokens, targets } = batch;
    const numTensors = tf.memory().numTensors;
    const joint = jointStep(gsva, batch, variables, seg);
    expect(tf.memory().numTensors).toBe(numTensors + joint.gradients.size);
    const separate = await gsvaStep(gsva, { tokens, targets, clipFeatures, imageEmbeddings }, variables);
    // The masks' losses of rejected targets are constants, which a batch without masks leaves out.
    expect(joint.losses['ce']).toBeCloseTo(separate.losses['ce'] ?? NaN, 6);
    if (make === gsvaBatch) expect(joint.losses['loss']).toBeCloseTo(separate.losses['loss'] ?? NaN, 5);
    expectSameGradients(
      joint.gradients,
      new Map([...separate.gradients].map(([name, gradient]) => [name, valuesOf(gradient)])),
    );
    tf.dispose([...joint.gradients.values(), ...separate.gradients.values()]);
    tf.dispose([clipFeatures, imageEmbeddings, batch.clipImages, batch.samImages]);
    gsva.dispose();
  });

  test('all of the base is reached, from the head to both encoders, and gradients are the slopes of the loss', () => {
    const gsva = smallModel(1);
    const batch = jointBatch();
    const variables = trainableVariables(gsva, 'base-joint');
    const { gradients } = jointStep(gsva, batch, variables, seg);
    // F_V1's last layer and norm lie behind the layer that LLaVA reads; nothing asks for the IoU.
    const unreached = /vision_model\.(encoder\.layers\.1|post_layernorm)\.|iou_prediction_head/;
    const expected = [...variables.keys()].filter((name) => !unreached.test(name));
    expect([...gradients.keys()].sort()).toEqual(expected.sort());
    const lossAt = (): number => {
      const { losses, gradients: unused } = jointStep(gsva, batch, variables, seg);
      tf.dispose([...unused.values()]);
      return losses['loss'] ?? NaN;
    };
    const checked = expectSlopes(lossAt, variables, gradients, { every: 6, floor: 0.01 });
    expect(checked).toBeGreaterThan(10);
    tf.dispose([...gradients.values(), batch.clipImages, batch.samImages]);
    gsva.dispose();
  });

  test('refuses answers that ask for another number of masks than there are', () => {
    const gsva = smallModel(1);
    const batch = jointBatch();
    const wrong = { ...batch, targets: batch.targets.map((target) => ({ ...target, masks: [] })) };
    expect(() => jointStep(gsva, wrong, trainableVariables(gsva, 'base-joint'), seg)).toThrow(/ask for 3 masks, 0/);
    tf.dispose([batch.clipImages, batch.samImages]);
    gsva.dispose();
  });
});
