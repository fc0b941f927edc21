/** The joint step: the same gradients as the segment-by-segment step where both have them, slopes elsewhere. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import type { LlavaSam } from '../../../src/systems/shared/llava-sam.js';
import { Random } from '../../../src/random.js';
import { MultimodalRows } from '../../../src/networks/multimodal-rows.js';
import { type JointBatch, jointStep } from '../../../src/training/base/joint-step.js';
import { trainableVariables } from '../../../src/training/trainable.js';
import { SMALL, smallModel } from '../../helpers/small-model.js';
import { normal, valuesOf } from '../../helpers/tensors.js';
import { expectSameGradients, gsvaBatch, gsvaBatchWithoutMasks, gsvaStep } from '../../helpers/small-batches.js';

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

const PATCHES = 4;

function jointBatch(make = gsvaBatch): JointBatch & { inputs: { sam: tf.Tensor4D } } {
  const random = new Random(4);
  const { tokens, targets } = make();
  const rows = new MultimodalRows(tokens, PATCHES);
  const places = rows.statesBefore([seg], 'supervised').map(({ row, position }) => ({ row, states: [position] }));
  const clip = normal(random, [2, 8, 8, 3]) as tf.Tensor4D;
  const sam = normal(random, [2, 32, 32, 3]) as tf.Tensor4D;
  return { rows, places, targets, inputs: { clip, sam } };
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
      gsva.encoders.clip.forward(batch.inputs.clip),
      gsva.encoders.sam.forward(batch.inputs.sam),
    ]);
    const { targets } = batch;
    const { tokens } = batch.rows;
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
    tf.dispose([clipFeatures, imageEmbeddings, batch.inputs.clip, batch.inputs.sam]);
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
    tf.dispose([...gradients.values(), batch.inputs.clip, batch.inputs.sam]);
    gsva.dispose();
  });

  test('refuses answers that ask for another number of masks than there are', async () => {
    const gsva = smallModel(1);
    const batch = jointBatch();
    const wrong = { ...batch, targets: batch.targets.map((target) => ({ ...target, masks: [] })) };
    await expect(jointStep(gsva, wrong, trainableVariables(gsva, 'base-joint'))).rejects.toThrow(/ask for 3 masks, 0/);
    tf.dispose([batch.inputs.clip, batch.inputs.sam]);
    gsva.dispose();
  });
});
