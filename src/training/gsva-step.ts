/**
 * One forward and backward pass of GSVA's objective (paper, Eq. 3):
 *
 *   L = λ_ce · CE(next supervised token) + λ_bce · BCE(masks) + λ_dice · DICE(masks)
 *
 * F_V1, φ and F_V2 are frozen: their outputs come in as data. Mask decoder, head, decoder layers and embedding are
 * differentiated one after the other (see backprop.ts).
 */
import { segIds } from '../config.js';
import * as fused from '../engine/fused-ops.js';
import * as tf from '../engine/tf.js';
import type { Gsva } from '../systems/gsva/gsva.js';
import { type TokenBatch, MultimodalRows } from '../networks/multimodal-rows.js';
import { differentiate, GradientMap, layersOnTape, layersRecomputed, variablesUnder } from './backprop.js';
import { type LossParts, stepWithLosses } from './loss-parts.js';
import { maskCount, maskObjective, type MaskTargets } from './mask-objective.js';
import type { Gradients } from './loop/training-task.js';

export interface GsvaBatch {
  readonly tokens: TokenBatch;
  /** F_V1 features [B, N, D] before φ; stays the caller's. */
  readonly clipFeatures: tf.Tensor3D;
  /** F_V2's image embeddings [B, H, W, prompt]; stays the caller's. */
  readonly imageEmbeddings: tf.Tensor4D;
  /** One entry per conversation, [SEG] targets in the order of the answer. */
  readonly targets: readonly MaskTargets[];
}

export interface GsvaStepOptions {
  /** Seed of LoRA's dropout; default: no dropout. */
  readonly dropoutSeed?: number | null;
  /**
   * Whether LLaMA's layers are run again in the backward pass, so that the activations of one are held at a time; if
   * not, those of all are. The gradients are the same. Default: true.
   */
  readonly recompute?: boolean;
}

/**
 * @param variables what trains, by checkpoint name without prefix
 * @returns losses (total, and the weighted parts) and the gradients, owned by the caller
 */
export function gsvaStep(
  gsva: Gsva,
  batch: GsvaBatch,
  variables: ReadonlyMap<string, tf.Variable>,
  options: GsvaStepOptions = {},
): Promise<Gradients> {
  return stepWithLosses(['ce', 'bce', 'dice'] as const, (losses) =>
    backpropagate(gsva, batch, variables, options, losses),
  );
}

type Losses = LossParts<'ce' | 'bce' | 'dice'>;

function backpropagate(
  gsva: Gsva,
  batch: GsvaBatch,
  variables: ReadonlyMap<string, tf.Variable>,
  { dropoutSeed = null, recompute = true }: GsvaStepOptions,
  losses: Losses,
): ReadonlyMap<string, tf.Tensor> {
  const { llama } = gsva;
  const gradients = new GradientMap();
  const layout = new MultimodalRows(batch.tokens, gsva.patches);
  const queryStates = layout.statesBefore(segIds(gsva.config.tokens), 'supervised');
  for (const [row, { masks }] of batch.targets.entries()) {
    const found = queryStates.filter((state) => state.row === row).length;
    if (found !== masks.length)
      throw new Error(`gsvaStep: answer ${row} holds ${found} [SEG] for ${masks.length} masks`);
  }
  tf.tidy(() => {
    const context = llama.context(0, layout.time, layout.lengths, dropoutSeed);
    const visionTokens = gsva.projector.forward(batch.clipFeatures) as tf.Tensor3D;
    const embeddings = gsva.embed(layout, visionTokens);
    const headVariables = variablesUnder(variables, 'lm_head.', 'model.text_hidden_fcs.', 'model.norm.');
    const after = (last: tf.Tensor): tf.Tensor => {
      const queries = tf.tidy(() => {
        return gsva.maskQueries(llama.norm.forward(last) as tf.Tensor3D, positionsOf(queryStates));
      });
      const queryGradient = maskSegments(gsva, batch, queries, variables, gradients, losses);
      const head = (): tf.Tensor => {
        const hidden = llama.norm.forward(last) as tf.Tensor3D;
        const { positions, targets } = layout.supervised();
        const logits = gsva.lmHead.forward(gsva.statesAt(hidden, positions)) as tf.Tensor2D;
        const unweighted = fused.softmaxCrossEntropy(logits, tf.tensor1d(targets, 'int32'));
        const ce = losses.add('ce', tf.mul(unweighted, gsva.config.loss.ce));
        if (queryGradient === null) return ce;
        // d/dθ Σ(queries · ∂L/∂queries) is what the mask decoder asks of ψ and below.
        return tf.add(ce, tf.sum(tf.mul(gsva.maskQueries(hidden, positionsOf(queryStates)), queryGradient)));
      };
      return differentiate(head, [last], headVariables, gradients).inputs[0] as tf.Tensor;
    };
    const layers = recompute ? layersRecomputed : layersOnTape;
    const embeddingGradient = layers(llama, embeddings, context, after, variables, gradients);
    const embeddingVariables = variablesUnder(variables, 'model.embed_tokens.');
    differentiate(() => gsva.embed(layout, visionTokens), [], embeddingVariables, gradients, embeddingGradient);
    return [...gradients.tensors.values()]; // kept; all else goes
  });
  return gradients.tensors;
}

/**
 * F_mask holds a copy of the image embedding per query, and a hundred times that for its gradient: at most so many
 * values at once (two queries at 512 pixels, one at 1024).
 */
const MOST_EMBEDDING_VALUES = 2 ** 19;

/**
 * F_mask and the mask losses, a few queries at a time: each is a segment of its own, since F_mask's steps are the largest
 * that training keeps.
 * @returns the gradient by the queries [Q, prompt], or null when the batch asks for no mask at all
 */
function maskSegments(
  gsva: Gsva,
  batch: GsvaBatch,
  queries: tf.Tensor2D,
  variables: ReadonlyMap<string, tf.Variable>,
  gradients: GradientMap,
  losses: Losses,
): tf.Tensor | null {
  const { loss, sam } = gsva.config;
  const total = maskCount(batch.targets);
  const own = variablesUnder(variables, 'model.visual_model.mask_decoder.');
  const weighted = (lowResMasks: tf.Tensor3D, target: MaskTargets): tf.Tensor => {
    const parts = maskObjective(lowResMasks, [target], sam.imageSize, total);
    const bce = losses.add('bce', tf.mul(parts.bce, loss.bce));
    return tf.add(bce, losses.add('dice', tf.mul(parts.dice, loss.dice)));
  };
  const byQuery: tf.Tensor[] = [];
  let first = 0;
  for (const { row, part } of smallParts(batch.targets, batch.imageEmbeddings)) {
    const count = part.masks.length;
    if (count === 0) {
      tf.tidy(() => weighted(tf.zeros([0, 1, 1]), part)); // [REJ] only: a constant
      continue;
    }
    const some = tf.slice(queries, [first, 0], [count, -1]);
    const rows = Array.from({ length: count }, () => row);
    const segment = (): tf.Tensor => weighted(gsva.decodeMasks(some, batch.imageEmbeddings, rows).lowResMasks, part);
    byQuery.push(...differentiate(segment, [some], own, gradients).inputs);
    first += count;
  }
  return byQuery.length === 0 ? null : tf.concat(byQuery, 0);
}

/** The targets in order, those of one image split so that not too many masks are decoded at once. */
function* smallParts(
  targets: readonly MaskTargets[],
  imageEmbeddings: tf.Tensor4D,
): Generator<{ readonly row: number; readonly part: MaskTargets }> {
  const [, height, width, channels] = imageEmbeddings.shape;
  const atOnce = Math.max(1, Math.floor(MOST_EMBEDDING_VALUES / (height * width * channels)));
  for (const [row, target] of targets.entries()) {
    // All [REJ] are in the first part; they are constants.
    yield { row, part: { ...target, masks: target.masks.slice(0, atOnce) } };
    for (let first = atOnce; first < target.masks.length; first += atOnce) {
      yield { row, part: { ...target, masks: target.masks.slice(first, first + atOnce), rejected: 0 } };
    }
  }
}

function positionsOf(states: readonly { readonly position: number }[]): number[] {
  return states.map((state) => state.position);
}
