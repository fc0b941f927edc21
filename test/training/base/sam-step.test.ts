/** SAM's step: gradients equal one tape and the slopes of the loss; images, prompts and masks belong together. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import type { LlavaSam } from '../../../src/systems/shared/llava-sam.js';
import { maskObjective } from '../../../src/systems/shared/mask-objective.js';
import { type SamBatch, samStep } from '../../../src/training/base/base-sam-task.js';
import { trainableVariables } from '../../../src/training/trainable.js';
import { SMALL, smallModel } from '../../helpers/small-model.js';
import { expectSameGradients, expectSlopes, oneTape, samBatch } from '../../helpers/small-batches.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

/** The loss of the whole forward, on one tape; queries 0 and 1 are about image 0, query 2 about image 1. */
function wholeLoss(gsva: LlavaSam, batch: SamBatch): tf.Tensor {
  return tf.tidy(() => {
    const embeddings = tf.add(gsva.encoders.sam.forward(batch.images), gsva.promptEncoder.noMaskEmbedding());
    const { lowResMasks } = gsva.maskDecoder.forward({
      imageEmbeddings: tf.gather(embeddings, tf.tensor1d([0, 0, 1], 'int32')) as tf.Tensor4D,
      densePositions: gsva.promptEncoder.densePositions(),
      sparsePrompts: gsva.promptEncoder.forward({
        coordinates: tf.tensor3d(batch.coordinates, [3, 2, 2]),
        labels: tf.tensor2d(batch.labels, [3, 2], 'int32'),
      }),
    });
    const { bce, dice } = maskObjective(gsva, lowResMasks, batch.targets);
    return tf.add(tf.mul(bce, SMALL.loss.bce), tf.mul(dice, SMALL.loss.dice));
  });
}

const lossOf = (gsva: LlavaSam, batch: SamBatch): number =>
  tf.tidy(() => wholeLoss(gsva, batch).dataSync()[0] as number);

describe('samStep', () => {
  test('gradients equal one tape over encoder, prompts and decoder; nothing else is left', async () => {
    const gsva = smallModel(1);
    const batch = samBatch();
    const variables = trainableVariables(gsva, 'base-sam');
    const numTensors = tf.memory().numTensors;
    const { losses, gradients } = await samStep(gsva, batch, variables);
    expect(tf.memory().numTensors).toBe(numTensors + gradients.size);
    const { loss = NaN, bce = NaN, dice = NaN } = losses;
    expect(loss).toBeCloseTo(lossOf(gsva, batch), 5);
    expect(bce + dice).toBeCloseTo(loss, 6);
    expectSameGradients(
      gradients,
      oneTape(() => wholeLoss(gsva, batch), variables),
    );
    for (const gradient of gradients.values()) gradient.dispose();
    expect(tf.memory().numTensors).toBe(numTensors);
    gsva.dispose();
  });

  test('gradients are the slopes of the loss', async () => {
    const gsva = smallModel(1);
    const batch = samBatch();
    const variables = trainableVariables(gsva, 'base-sam');
    const { gradients } = await samStep(gsva, batch, variables);
    const checked = expectSlopes(() => lossOf(gsva, batch), variables, gradients, { every: 4, floor: 0.01 });
    expect(checked).toBeGreaterThan(10);
    for (const gradient of gradients.values()) gradient.dispose();
    gsva.dispose();
  });
});
