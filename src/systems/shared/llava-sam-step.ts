/**
 * One forward and backward pass of the objective of GSVA (paper, Eq. 3) and LISA:
 *
 *   L = λ_ce · CE(next supervised token) + λ_bce · BCE(masks) + λ_dice · DICE(masks)
 *
 * F_V1, φ and F_V2 are frozen: their outputs come in as data. Mask decoder, head, decoder layers and embedding are
 * differentiated one after the other (see nn/backprop.ts).
 */
import * as fused from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import { differentiate, GradientMap, type NamedTensors, type NamedVariables } from '../../nn/backprop.js';
import { stackOnTape, stackRecomputed } from '../../nn/stack-gradients.js';
import { type LossParts, stepWithLosses } from '../../nn/loss-parts.js';
import { VariableSegments } from '../../checkpoints/parts.js';
import type { MaskTargets, Recipe, StepOptions, TrainingBatch } from '../system.js';
import { LlavaSam } from './llava-sam.js';
import { maskCount, maskObjective } from './mask-objective.js';

export const GROUNDING_RECIPE: Recipe = {
  step: (model, variables) => {
    if (!(model instanceof LlavaSam)) throw new Error('GROUNDING_RECIPE: it trains LlavaSam, not another network');
    const segments = new VariableSegments(model.parts, variables, segmentOf);
    return (batch, options = {}) => {
      return stepWithLosses(['ce', 'bce', 'dice'] as const, (losses) => {
        return backpropagate(model, batch, segments, options, losses);
      });
    };
  },
};

function segmentOf(part: string, layer: string): string {
  const isLayer = part === 'lora' || part === 'language_model';
  if (isLayer && layer !== '') return `layer ${layer}`;
  return part === 'lm_head' || part === 'psi' || isLayer ? 'head' : part; // with the last norm
}

type Losses = LossParts<'ce' | 'bce' | 'dice'>;

function backpropagate(
  model: LlavaSam,
  batch: TrainingBatch,
  segments: VariableSegments,
  { dropoutSeed = null, recompute = true }: StepOptions,
  losses: Losses,
): NamedTensors {
  const { llama } = model;
  const { rows, places } = batch;
  const gradients = new GradientMap();
  for (const [row, { masks }] of batch.targets.entries()) {
    const found = places.filter((place) => place.row === row).length;
    if (found !== masks.length)
      throw new Error(`GROUNDING_RECIPE: answer ${row} holds ${found} decisions for ${masks.length} masks`);
  }
  const states = places.flatMap((place) => place.states);
  tf.tidy(() => {
    const context = llama.context(0, rows.time, rows.lengths, dropoutSeed);
    const visionTokens = model.projector.forward(batch.features['clip'] as tf.Tensor) as tf.Tensor3D;
    const embeddings = model.embed(rows, visionTokens);
    const after = (last: tf.Tensor): tf.Tensor => {
      const queries = tf.tidy(() => model.maskQueries(llama.norm.forward(last) as tf.Tensor3D, states));
      const decoderVariables = segments.of('mask_decoder');
      const queryGradient = maskSegments(model, batch, queries, decoderVariables, gradients, losses);
      const head = (): tf.Tensor => {
        const hidden = llama.norm.forward(last) as tf.Tensor3D;
        const { positions, targets } = rows.supervised();
        const logits = model.logits(model.statesAt(hidden, positions));
        const unweighted = fused.softmaxCrossEntropy(logits, tf.tensor1d(targets, 'int32'));
        const ce = losses.add('ce', tf.mul(unweighted, model.config.loss.ce));
        if (queryGradient === null) return ce;
        // d/dθ Σ(queries · ∂L/∂queries) is what the mask decoder asks of ψ and below.
        return tf.add(ce, tf.sum(tf.mul(model.maskQueries(hidden, states), queryGradient)));
      };
      return differentiate(head, [last], segments.of('head'), gradients).inputs[0] as tf.Tensor;
    };
    const differentiateStack = recompute ? stackRecomputed : stackOnTape;
    const layerVariables = llama.layers.map((_, layer) => segments.of(`layer ${layer}`));
    const embeddingGradient = differentiateStack(llama.stack(context), embeddings, after, layerVariables, gradients);
    const embed = (): tf.Tensor => model.embed(rows, visionTokens);
    differentiate(embed, [], segments.of('embed_tokens'), gradients, embeddingGradient);
    return [...gradients.tensors.values()]; // kept; all else goes
  });
  return gradients.tensors;
}

/**
 * F_mask holds a copy of the image embedding per query, and a hundred times that for its gradient: at most this number of
 * values at once (two queries at 512 pixels, one at 1024).
 */
const MOST_EMBEDDING_VALUES = 2 ** 19;

/**
 * F_mask and the mask losses, a few queries at a time: each is a segment of its own, since F_mask's steps are the largest
 * that training keeps.
 * @returns the gradient by the queries [Q, prompt], or null when the batch asks for no mask at all
 */
function maskSegments(
  model: LlavaSam,
  batch: TrainingBatch,
  queries: tf.Tensor2D,
  decoderVariables: NamedVariables,
  gradients: GradientMap,
  losses: Losses,
): tf.Tensor | null {
  const { loss } = model.config;
  const imageEmbeddings = batch.features['sam'] as tf.Tensor4D;
  const total = maskCount(batch.targets);
  const weighted = (lowResMasks: tf.Tensor3D, target: MaskTargets): tf.Tensor => {
    const parts = maskObjective(model, lowResMasks, [target], total);
    const bce = losses.add('bce', tf.mul(parts.bce, loss.bce));
    return tf.add(bce, losses.add('dice', tf.mul(parts.dice, loss.dice)));
  };
  const byQuery: tf.Tensor[] = [];
  let first = 0;
  for (const { row, part } of smallParts(batch.targets, imageEmbeddings)) {
    const count = part.masks.length;
    if (count === 0) {
      tf.tidy(() => weighted(tf.zeros([0, 1, 1]), part)); // rejected targets only: a constant
      continue;
    }
    const some = tf.slice(queries, [first, 0], [count, -1]);
    const rows = Array.from({ length: count }, () => row);
    const segment = (): tf.Tensor => weighted(model.decodeMasks(some, imageEmbeddings, rows).lowResMasks, part);
    byQuery.push(...differentiate(segment, [some], decoderVariables, gradients).inputs);
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
    // All rejected targets are in the first part; they are constants.
    yield { row, part: { ...target, masks: target.masks.slice(0, atOnce) } };
    for (let first = atOnce; first < target.masks.length; first += atOnce) {
      yield { row, part: { ...target, masks: target.masks.slice(first, first + atOnce), rejected: 0 } };
    }
  }
}
