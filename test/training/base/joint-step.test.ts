/** The joint step: the same gradients as the segment-by-segment step where both have them, slopes elsewhere. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import type { LlavaSam } from '../../../src/systems/shared/llava-sam.js';
import { Random } from '../../../src/random.js';
import { gsvaStep } from '../../../src/training/gsva-step.js';
import { type JointBatch, jointStep } from '../../../src/training/base/joint-step.js';
import { trainableVariables } from '../../../src/training/trainable.js';
import { SMALL, smallModel } from '../../helpers/small-model.js';
import { normal, valuesOf } from '../../helpers/tensors.js';
import { expectSameGradients, gsvaBatch, gsvaBatchWithoutMasks } from '../small-batches.js';

const { seg } = SMALL.tokens;
const PARTS = [
  'model.vision_tower.',
  'model.mm_projector.',
  'model.embed_tokens.',
  'model.layers.',
  'lm_head.',
  'model.text_hidden_fcs.',
  'model.visual_model.image_encoder.',
  'model.visual_model.mask_decoder.',
];

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

function jointBatch(make = gsvaBatch): JointBatch & { samImages: tf.Tensor4D } {
  const random = new Random(4);
  const { tokens, targets } = make();
  const asking = Array.from({ length: tokens.batch }, (_, row) =>
    Array.from({ length: tokens.time }, (_, t) => t).filter((t) => tokens.labels?.[row * tokens.time + t] === seg),
  );
  return {
    tokens,
    asking,
    targets,
    clipImages: normal(random, [2, 8, 8, 3]) as tf.Tensor4D,
    samImages: normal(random, [2, 32, 32, 3]) as tf.Tensor4D,
  };
}

/** The loss's slope along a part's own gradient: in truth, the gradient's length. */
async function slopeAlong(
  part: string,
  gsva: LlavaSam,
  batch: JointBatch,
  variables: ReadonlyMap<string, tf.Variable>,
  gradients: ReadonlyMap<string, tf.Tensor>,
): Promise<number> {
  const own = [...gradients].filter(([name]) => name.startsWith(part));
  const originals = own.map(([name]) => valuesOf(variables.get(name) as tf.Variable));
  const norm = Math.sqrt(tf.tidy(() => own.reduce((sum, [, g]) => sum + (tf.sum(tf.square(g)).dataSync()[0] ?? 0), 0)));
  const lossAt = async (offset: number): Promise<number> => {
    for (const [i, [name, gradient]] of own.entries()) {
      const variable = variables.get(name) as tf.Variable;
      const start = tf.tensor(originals[i] ?? [], variable.shape);
      tf.tidy(() => {
        variable.assign(tf.add(start, tf.mul(gradient, offset / norm)));
      });
      start.dispose();
    }
    const { losses, gradients: unused } = await jointStep(gsva, batch, variables);
    tf.dispose([...unused.values()]);
    return losses['loss'] ?? NaN;
  };
  const step = 1e-4; // longer ones cross kinks of ReLU
  const slope = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
  await lossAt(0);
  return slope;
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
      gsva.encoders.clip.forward(batch.clipImages),
      gsva.encoders.sam.forward(batch.samImages),
    ]);
    const { tokens, targets } = batch;
    const numTensors = tf.memory().numTensors;
    const joint = await jointStep(gsva, batch, variables);
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

  test('all of the base is reached, from the head to both encoders, and each part has the slope of the loss', async () => {
    const gsva = smallModel(1);
    const batch = jointBatch();
    const variables = trainableVariables(gsva, 'base-joint');
    const { gradients } = await jointStep(gsva, batch, variables);
    // Behind the layer of F_V1 that LLaVA reads, and the outputs of F_mask that GSVA does not.
    const unreached =
      /vision_model\.(encoder\.layers\.1|post_layernorm)\.|hypernetworks_mlps\.[123]\.|iou_prediction_head/;
    const expected = [...variables.keys()].filter((name) => !unreached.test(name));
    expect([...gradients.keys()].sort()).toEqual(expected.sort());
    for (const part of PARTS) {
      const slope = await slopeAlong(part, gsva, batch, variables, gradients);
      const own = [...gradients].filter(([name]) => name.startsWith(part)).map(([, gradient]) => valuesOf(gradient));
      const norm = Math.sqrt(
        own.reduce((sum, values) => sum + values.reduce((all, value) => all + value * value, 0), 0),
      );
      expect([part, norm > 0.001, Math.abs(slope / norm - 1) < 0.01]).toEqual([part, true, true]);
    }
    tf.dispose([...gradients.values(), batch.clipImages, batch.samImages]);
    gsva.dispose();
  });

  test('refuses answers that ask for another number of masks than there are', async () => {
    const gsva = smallModel(1);
    const batch = jointBatch();
    const wrong = { ...batch, targets: batch.targets.map((target) => ({ ...target, masks: [] })) };
    await expect(jointStep(gsva, wrong, trainableVariables(gsva, 'base-joint'))).rejects.toThrow(/ask for 3 masks, 0/);
    tf.dispose([batch.clipImages, batch.samImages]);
    gsva.dispose();
  });
});
