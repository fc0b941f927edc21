/** The whole step: gradients equal those of one tape over the whole forward, and the slopes of the loss. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as fused from '../../../src/engine/fused-ops.js';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import type { LlavaSam } from '../../../src/systems/shared/llava-sam.js';
import { MultimodalRows } from '../../../src/networks/multimodal-rows.js';
import { maskObjective } from '../../../src/systems/shared/mask-objective.js';
import { trainableVariables } from '../../../src/training/trainable.js';
import { SMALL, smallModel } from '../../helpers/small-model.js';
import { largest, largestDifference, valuesOf, variablesOf } from '../../helpers/tensors.js';
import {
  expectSameGradients,
  expectSlopes,
  type GsvaBatch,
  gsvaBatch,
  gsvaBatchWithoutMasks,
  gsvaStep,
  oneTape,
} from '../../helpers/small-batches.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

/** L of the whole forward, on one tape. */
function wholeLoss(gsva: LlavaSam, batch: GsvaBatch, dropoutSeed: number | null): tf.Tensor {
  return tf.tidy(() => {
    const layout = new MultimodalRows(batch.tokens, gsva.patches);
    const embeddings = gsva.embed(layout, gsva.projector.forward(batch.clipFeatures) as tf.Tensor3D);
    const [hidden] = gsva.llama.forward(embeddings, gsva.llama.context(0, layout.time, layout.lengths, dropoutSeed));
    const { positions, targets } = layout.supervised();
    const logits = gsva.lmHead.forward(gsva.statesAt(hidden as tf.Tensor3D, positions)) as tf.Tensor2D;
    const ce = fused.softmaxCrossEntropy(logits, tf.tensor1d(targets, 'int32'));
    const states = layout.statesBefore([SMALL.tokens.seg], 'supervised');
    if (states.length === 0) return tf.mul(ce, SMALL.loss.ce);
    const queries = gsva.maskQueries(
      hidden as tf.Tensor3D,
      states.map(({ position }) => position),
    );
    const { lowResMasks } = gsva.decodeMasks(
      queries,
      batch.imageEmbeddings,
      states.map(({ row }) => row),
    );
    const { bce, dice } = maskObjective(gsva, lowResMasks, batch.targets);
    return tf.addN([tf.mul(ce, SMALL.loss.ce), tf.mul(bce, SMALL.loss.bce), tf.mul(dice, SMALL.loss.dice)]);
  });
}

function lossOf(gsva: LlavaSam, batch: GsvaBatch, dropoutSeed: number | null = null): number {
  return tf.tidy(() => wholeLoss(gsva, batch, dropoutSeed).dataSync()[0] as number);
}

describe('GROUNDING_RECIPE', () => {
  test.each([
    { what: 'what GSVA trains', make: gsvaBatch, everything: false, dropout: 0, seed: null },
    { what: 'LoRA dropout', make: gsvaBatch, everything: false, dropout: 0.4, seed: 9 },
    { what: 'the frozen weights of F_LLM too', make: gsvaBatch, everything: true, dropout: 0, seed: null },
    { what: 'a batch that asks for no mask', make: gsvaBatchWithoutMasks, everything: false, dropout: 0, seed: null },
  ])('gradients equal one tape: $what', async ({ make, everything, dropout, seed }) => {
    const gsva = smallModel(1, { ...SMALL, lora: { ...SMALL.lora, dropout } });
    const batch = make();
    const variables = everything
      ? new Map(
          [...variablesOf(gsva)].filter(([name]) =>
            /^lm_head|^model\.(embed|layers|norm|text|visual_model\.mask_dec)/.test(name),
          ),
        )
      : trainableVariables(gsva, 'gsva');
    const numTensors = tf.memory().numTensors;
    const { losses, gradients } = await gsvaStep(gsva, batch, variables, { dropoutSeed: seed });
    expect(tf.memory().numTensors).toBe(numTensors + gradients.size);
    const onTape = await gsvaStep(gsva, batch, variables, { dropoutSeed: seed, recompute: false });
    expect(tf.memory().numTensors).toBe(numTensors + 2 * gradients.size);
    expect(onTape.losses).toEqual(losses);
    expect([...onTape.gradients.keys()].sort()).toEqual([...gradients.keys()].sort());
    for (const [name, gradient] of onTape.gradients) {
      const values = valuesOf(gradients.get(name) as tf.Tensor);
      expect([name, largestDifference(valuesOf(gradient), values) <= 1e-6 * largest(values)]).toEqual([name, true]);
    }
    tf.dispose([...onTape.gradients.values()]);
    const { loss = NaN, ce = NaN, bce = NaN, dice = NaN } = losses;
    expect(loss).toBeCloseTo(lossOf(gsva, batch, seed), 5);
    expect(ce + bce + dice).toBeCloseTo(loss, 6);
    expectSameGradients(
      gradients,
      oneTape(() => wholeLoss(gsva, batch, seed), variables),
    );
    for (const gradient of gradients.values()) gradient.dispose();
    expect(tf.memory().numTensors).toBe(numTensors);
    gsva.dispose();
  });

  test('gradients are the slopes of the loss', async () => {
    const gsva = smallModel(1);
    const batch = gsvaBatch();
    const variables = trainableVariables(gsva, 'gsva');
    const { gradients } = await gsvaStep(gsva, batch, variables);
    const checked = expectSlopes(() => lossOf(gsva, batch), variables, gradients, { every: 4, floor: 0.01 });
    expect(checked).toBeGreaterThan(10);
    for (const gradient of gradients.values()) gradient.dispose();
    gsva.dispose();
  });

  test('a step on the returned gradients lowers the loss', async () => {
    const gsva = smallModel(1);
    const batch = gsvaBatch();
    const before = lossOf(gsva, batch);
    const { gradients } = await gsvaStep(gsva, batch, trainableVariables(gsva, 'gsva'));
    const variables = trainableVariables(gsva, 'gsva');
    for (const [name, gradient] of gradients) {
      tf.tidy(() => variables.get(name)?.assign(tf.sub(variables.get(name) as tf.Variable, tf.mul(gradient, 1e-2))));
      gradient.dispose();
    }
    expect(lossOf(gsva, batch)).toBeLessThan(before);
    gsva.dispose();
  });

  test('the numbers of masks and [SEG] are in the error where they do not match, and leaves nothing behind', async () => {
    const gsva = smallModel(1);
    const batch = gsvaBatch();
    const wrong = { ...batch, targets: batch.targets.map((target) => ({ ...target, masks: target.masks.slice(1) })) };
    const numTensors = tf.memory().numTensors;
    await expect(gsvaStep(gsva, wrong, trainableVariables(gsva, 'gsva'))).rejects.toThrow(
      'answer 0 holds 2 decisions for 1 masks',
    );
    expect(tf.memory().numTensors).toBe(numTensors);
    gsva.dispose();
  });
});

test('individual [SEG] embeddings: masks come from the states before each of them', async () => {
  const another = 19;
  const gsva = smallModel(1, { ...SMALL, tokens: { ...SMALL.tokens, moreSegs: [another] } });
  // To the model the other [SEG] sounds like the first, so that all states are as with one that is shared.
  const order = Array.from({ length: SMALL.llm.vocabSize }, (_, id) => (id === another ? SMALL.tokens.seg : id));
  tf.tidy(() => {
    const embedding = gsva.namedParameters().get('model.embed_tokens.weight')?.variable;
    embedding?.write(tf.gather(embedding.read(), tf.tensor1d(order, 'int32')));
  });
  const shared = gsvaBatch();
  const individual = (ids: Int32Array | null): Int32Array => {
    const changed = Int32Array.from(ids ?? []);
    changed[7] = another; // the second [SEG] of the first answer
    return changed;
  };
  const { inputIds, labels } = shared.tokens;
  const batch = { ...shared, tokens: { ...shared.tokens, inputIds: individual(inputIds), labels: individual(labels) } };
  const variables = trainableVariables(gsva, 'gsva');
  const [first, second] = [await gsvaStep(gsva, shared, variables), await gsvaStep(gsva, batch, variables)];
  for (const part of ['bce', 'dice']) expect(second.losses[part]).toBeCloseTo(first.losses[part] ?? NaN, 5);
  // What is to be said is another word, though.
  expect(second.losses['ce']).not.toBeCloseTo(first.losses['ce'] ?? NaN, 5);
  for (const { gradients } of [first, second]) tf.dispose([...gradients.values()]);
  const unaware = smallModel(1);
  await expect(gsvaStep(unaware, batch, variables)).rejects.toThrow('answer 0 holds 1 decisions for 2 masks');
  for (const model of [gsva, unaware]) model.dispose();
});
