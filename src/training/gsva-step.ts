/**
 * One forward and backward pass of GSVA's objective (paper, Eq. 3):
 *
 *   L = λ_ce · CE(next supervised token) + λ_bce · BCE(masks) + λ_dice · DICE(masks)
 *
 * F_V1, φ and F_V2 are frozen: their outputs come in as data. Mask decoder, head, decoder layers and embedding are
 * differentiated one after the other (see backprop.ts).
 */
import * as fused from '../engine/fused-ops.js';
import * as tf from '../engine/tf.js';
import type { Gsva } from '../model/gsva.js';
import { type TokenBatch, VisionTextTokens } from '../model/vision-text-tokens.js';
import { backwardLayers, differentiate, forwardLayers, GradientMap, variablesUnder } from './backprop.js';
import { maskObjective, type MaskTargets } from './mask-objective.js';
import type { Gradients } from './training-task.js';

export interface GsvaBatch {
  readonly tokens: TokenBatch;
  /** F_V1 features [B, N, D] before φ; stays the caller's. */
  readonly clipFeatures: tf.Tensor3D;
  /** F_V2's image embeddings [B, H, W, prompt]; stays the caller's. */
  readonly imageEmbeddings: tf.Tensor4D;
  /** One entry per conversation, [SEG] targets in the order of the answer. */
  readonly targets: readonly MaskTargets[];
}

/**
 * @param variables what trains, by checkpoint name without prefix
 * @param dropoutSeed seed of LoRA's dropout, null without
 * @returns losses (total, and the weighted parts) and the gradients, owned by the caller
 */
export async function gsvaStep(
  gsva: Gsva,
  batch: GsvaBatch,
  variables: ReadonlyMap<string, tf.Variable>,
  dropoutSeed: number | null = null,
): Promise<Gradients> {
  const parts: Losses = {};
  try {
    const gradients = backpropagate(gsva, batch, variables, dropoutSeed, parts);
    return { losses: await readLosses(parts), gradients };
  } finally {
    tf.dispose({ ...parts });
  }
}

/** The weighted parts of the loss, as scalars: reading one on the way would make a graphics card wait. */
interface Losses {
  ce?: tf.Tensor;
  bce?: tf.Tensor;
  dice?: tf.Tensor;
}

async function readLosses(parts: Losses): Promise<Record<'loss' | 'ce' | 'bce' | 'dice', number>> {
  const read = async (part: tf.Tensor | undefined): Promise<number> => (await part?.data())?.[0] ?? 0;
  const [ce, bce, dice] = await Promise.all([read(parts.ce), read(parts.bce), read(parts.dice)]);
  return { loss: ce + bce + dice, ce, bce, dice };
}

/** @param losses receives the parts, kept; the caller disposes them */
function backpropagate(
  gsva: Gsva,
  batch: GsvaBatch,
  variables: ReadonlyMap<string, tf.Variable>,
  dropoutSeed: number | null,
  losses: Losses,
): ReadonlyMap<string, tf.Tensor> {
  const { seg } = gsva.config.tokens;
  const { llama } = gsva;
  const gradients = new GradientMap();
  const layout = new VisionTextTokens(batch.tokens, gsva.patches);
  const queryStates = layout.statesBefore([seg], 'supervised');
  const expected = batch.targets.reduce((sum, target) => sum + target.masks.length, 0);
  if (queryStates.length !== expected) {
    throw new Error(`gsvaStep: the answers hold ${queryStates.length} [SEG] for ${expected} masks`);
  }
  tf.tidy(() => {
    const context = llama.context(0, layout.time, layout.lengths, dropoutSeed);
    const visionTokens = gsva.projector.forward(batch.clipFeatures) as tf.Tensor3D;
    const embeddings = gsva.embed(layout, visionTokens);
    const outputs = forwardLayers(llama, embeddings, context);
    const last = outputs.at(-1) ?? embeddings;

    const queries = tf.tidy(() => gsva.maskQueries(llama.norm.forward(last) as tf.Tensor3D, positionsOf(queryStates)));
    const queryGradient = maskSegment(gsva, batch, queries, queryStates, variables, gradients, losses);
    const head = (): tf.Tensor => {
      const hidden = llama.norm.forward(last) as tf.Tensor3D;
      const { positions, targets } = layout.supervised();
      const logits = gsva.lmHead.forward(gsva.statesAt(hidden, positions)) as tf.Tensor2D;
      const ce = tf.mul(fused.softmaxCrossEntropy(logits, tf.tensor1d(targets, 'int32')), gsva.config.loss.ce);
      losses.ce = tf.keep(ce);
      if (queryGradient === null) return ce;
      // d/dθ Σ(queries · ∂L/∂queries) is what the mask decoder asks of ψ and below.
      return tf.add(ce, tf.sum(tf.mul(gsva.maskQueries(hidden, positionsOf(queryStates)), queryGradient)));
    };
    const headVariables = variablesUnder(variables, 'lm_head.', 'model.text_hidden_fcs.', 'model.norm.');
    const { inputs } = differentiate(head, [last], headVariables, gradients);
    const embeddingGradient = backwardLayers(
      llama,
      embeddings,
      outputs,
      context,
      inputs[0] as tf.Tensor,
      variables,
      gradients,
    );
    const embeddingVariables = variablesUnder(variables, 'model.embed_tokens.');
    differentiate(() => gsva.embed(layout, visionTokens), [], embeddingVariables, gradients, embeddingGradient);
    return [...gradients.tensors.values()]; // kept; all else goes
  });
  return gradients.tensors;
}

/** F_mask and the mask losses; returns the gradient by the queries, or null when the batch asks for no mask at all. */
function maskSegment(
  gsva: Gsva,
  batch: GsvaBatch,
  queries: tf.Tensor2D,
  states: readonly { readonly row: number }[],
  variables: ReadonlyMap<string, tf.Variable>,
  gradients: GradientMap,
  losses: Losses,
): tf.Tensor | null {
  const { loss, sam } = gsva.config;
  const weighted = (lowResMasks: tf.Tensor3D): tf.Tensor => {
    const parts = maskObjective(lowResMasks, batch.targets, sam.imageSize);
    losses.bce = tf.keep(tf.mul(parts.bce, loss.bce));
    losses.dice = tf.keep(tf.mul(parts.dice, loss.dice));
    return tf.add(losses.bce, losses.dice);
  };
  if (states.length === 0) {
    tf.tidy(() => weighted(tf.zeros([0, 1, 1])));
    return null;
  }
  const rows = states.map((state) => state.row);
  const segment = (): tf.Tensor => weighted(gsva.decodeMasks(queries, batch.imageEmbeddings, rows).lowResMasks);
  const own = variablesUnder(variables, 'model.visual_model.mask_decoder.');
  return differentiate(segment, [queries], own, gradients).inputs[0] ?? null;
}

function positionsOf(states: readonly { readonly position: number }[]): number[] {
  return states.map((state) => state.position);
}
