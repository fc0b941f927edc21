/**
 * One forward and backward pass of the base's language objective: next-token cross-entropy of answers about an image,
 * through F_LLM and φ, segment by segment; F_V1 is frozen. No [SEG], no mask.
 */
import * as fused from '../engine/fused-ops.js';
import * as tf from '../engine/tf.js';
import type { Gsva } from '../model/gsva.js';
import { type TokenBatch, VisionTextTokens } from '../model/vision-text-tokens.js';
import { backwardLayers, differentiate, forwardLayers, GradientMap, variablesUnder } from './backprop.js';
import type { Gradients } from './training-task.js';

export interface LanguageBatch {
  readonly tokens: TokenBatch;
  /** F_V1's input [B, S, S, 3], normalised; stays the caller's. */
  readonly clipImages: tf.Tensor4D;
}

export function languageStep(gsva: Gsva, batch: LanguageBatch, variables: ReadonlyMap<string, tf.Variable>): Gradients {
  const { llama } = gsva;
  const gradients = new GradientMap();
  const layout = new VisionTextTokens(batch.tokens, gsva.patches);
  const { positions, targets } = layout.supervised();
  let loss = 0;
  tf.tidy(() => {
    const context = llama.context(0, layout.time, layout.lengths);
    const features = tf.tidy(() => gsva.visionTower.forward(batch.clipImages));
    const see = (): tf.Tensor3D => gsva.projector.forward(features) as tf.Tensor3D;
    const visionTokens = tf.tidy(see);
    const embeddings = tf.tidy(() => gsva.embed(layout, visionTokens));
    const outputs = forwardLayers(llama, embeddings, context);
    const last = outputs.at(-1) ?? embeddings;
    const head = (): tf.Tensor => {
      const states = gsva.statesAt(llama.norm.forward(last) as tf.Tensor3D, positions);
      return fused.softmaxCrossEntropy(gsva.lmHead.forward(states) as tf.Tensor2D, tf.tensor1d(targets, 'int32'));
    };
    const { value, inputs } = differentiate(
      head,
      [last],
      variablesUnder(variables, 'lm_head.', 'model.norm.'),
      gradients,
    );
    loss = value.dataSync()[0] as number;
    const embeddingGradient = backwardLayers(
      llama,
      embeddings,
      outputs,
      context,
      inputs[0] as tf.Tensor,
      variables,
      gradients,
    );
    const text = variablesUnder(variables, 'model.embed_tokens.');
    const embed = differentiate(
      () => gsva.embed(layout, visionTokens),
      [visionTokens],
      text,
      gradients,
      embeddingGradient,
    );
    const vision = variablesUnder(variables, 'model.mm_projector.');
    differentiate(see, [], vision, gradients, embed.inputs[0]);
    return [...gradients.tensors.values()];
  });
  return { losses: { loss }, gradients: gradients.tensors };
}
