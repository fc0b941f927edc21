/** The base's language step: gradients equal one tape over the whole forward, are the loss's slopes, and leave nothing. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as fused from '../../src/engine/fused-ops.js';
import * as tf from '../../src/engine/tf.js';
import type { Gsva } from '../../src/model/gsva.js';
import { VisionTextTokens } from '../../src/model/vision-text-tokens.js';
import { Random } from '../../src/random.js';
import { type LanguageBatch, languageStep } from '../../src/training/language-step.js';
import { trainableVariables } from '../../src/training/trainable.js';
import { smallModel } from '../helpers/small-model.js';
import { normal } from '../helpers/tensors.js';
import { expectSameGradients, expectSlopes, gsvaBatch, oneTape } from './small-batches.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

function languageBatch(): LanguageBatch {
  return { tokens: gsvaBatch().tokens, clipImages: normal(new Random(3), [2, 8, 8, 3]) as tf.Tensor4D };
}

/** Cross-entropy of the whole forward, images to logits, on one tape. */
function wholeLoss(gsva: Gsva, { tokens, clipImages }: LanguageBatch): tf.Tensor {
  return tf.tidy(() => {
    const layout = new VisionTextTokens(tokens, gsva.patches);
    const vision = gsva.projector.forward(gsva.visionTower.forward(clipImages)) as tf.Tensor3D;
    const context = gsva.llama.context(0, layout.time, layout.lengths);
    const [hidden] = gsva.llama.forward(gsva.embed(layout, vision), context);
    const { positions, targets } = layout.supervised();
    const logits = gsva.lmHead.forward(gsva.statesAt(hidden as tf.Tensor3D, positions)) as tf.Tensor2D;
    return fused.softmaxCrossEntropy(logits, tf.tensor1d(targets, 'int32'));
  });
}

function lossOf(gsva: Gsva, batch: LanguageBatch): number {
  return tf.tidy(() => wholeLoss(gsva, batch).dataSync()[0] as number);
}

describe('languageStep', () => {
  test('gradients equal one tape, from the head down to φ, F_V1 and SAM frozen, and nothing else is left', () => {
    const gsva = smallModel(1);
    const batch = languageBatch();
    const variables = trainableVariables(gsva, 'base-mllm');
    const numTensors = tf.memory().numTensors;
    const { losses, gradients } = languageStep(gsva, batch, variables);
    expect(tf.memory().numTensors).toBe(numTensors + gradients.size);
    expect(losses['loss']).toBeCloseTo(lossOf(gsva, batch), 5);
    expectSameGradients(
      gradients,
      oneTape(() => wholeLoss(gsva, batch), variables),
    );
    const reached = (part: string): boolean => [...gradients.keys()].some((name) => name.startsWith(part));
    for (const part of ['lm_head.', 'model.norm.', 'model.layers.0.', 'model.embed_tokens.', 'model.mm_projector.']) {
      expect([part, reached(part)]).toEqual([part, true]);
    }
    for (const frozen of ['model.vision_tower.', 'model.visual_model.']) expect(reached(frozen)).toBe(false);
    tf.dispose([...gradients.values()]);
    expect(tf.memory().numTensors).toBe(numTensors);
    gsva.dispose();
    batch.clipImages.dispose();
  });

  test('gradients are the slopes of the loss', () => {
    const gsva = smallModel(1);
    const batch = languageBatch();
    const variables = trainableVariables(gsva, 'base-mllm');
    const { gradients } = languageStep(gsva, batch, variables);
    const checked = expectSlopes(() => lossOf(gsva, batch), variables, gradients, { every: 4, floor: 0.01 });
    expect(checked).toBeGreaterThan(4);
    tf.dispose([...gradients.values(), batch.clipImages]);
    gsva.dispose();
  });
});
