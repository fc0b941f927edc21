/**
 * One forward and backward pass of GSVA's objective (see gsva-step.ts) through the whole model, F_V1 and F_V2 included,
 * on one tape: how the small base is trained. Everything that the forward makes is held until the backward is done, so
 * this is for small models; it is a fourth faster than going segment by segment, which computes everything twice.
 */
import * as fused from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import type { Gsva } from '../../systems/gsva/gsva.js';
import { type TokenBatch, MultimodalRows } from '../../networks/multimodal-rows.js';
import { differentiate, GradientMap } from '../backprop.js';
import { type LossParts, stepWithLosses } from '../loss-parts.js';
import { maskObjective, type MaskTargets } from '../mask-objective.js';
import type { Gradients } from '../loop/training-task.js';

export interface JointBatch {
  readonly tokens: TokenBatch;
  /** F_V1's input [B, S, S, 3], normalised; stays the caller's. */
  readonly clipImages: tf.Tensor4D;
  /** F_V2's input [B, S, S, 3], normalised and padded; stays the caller's. Null where no mask is asked for. */
  readonly samImages: tf.Tensor4D | null;
  /** For every conversation the tokens that ask for a mask, by index: the state that predicts one makes the query. */
  readonly asking: readonly (readonly number[])[];
  /** One entry per conversation, a mask for every token that asks for one. */
  readonly targets: readonly MaskTargets[];
}

/**
 * @param variables what trains, by checkpoint name without prefix
 * @returns losses (total, and the weighted parts) and the gradients, owned by the caller
 */
export function jointStep(
  gsva: Gsva,
  batch: JointBatch,
  variables: ReadonlyMap<string, tf.Variable>,
): Promise<Gradients> {
  return stepWithLosses(['ce', 'bce', 'dice'] as const, (losses) => backpropagate(gsva, batch, variables, losses));
}

function backpropagate(
  gsva: Gsva,
  batch: JointBatch,
  variables: ReadonlyMap<string, tf.Variable>,
  losses: LossParts<'ce' | 'bce' | 'dice'>,
): ReadonlyMap<string, tf.Tensor> {
  const { llama, config } = gsva;
  const gradients = new GradientMap();
  const layout = new MultimodalRows(batch.tokens, gsva.patches);
  const asking = batch.asking.flatMap((tokens, row) =>
    tokens.map((token) => ({ row, position: layout.flatIndex(row, token) - 1 })),
  );
  const masks = batch.targets.reduce((sum, target) => sum + target.masks.length, 0);
  if (asking.length !== masks) {
    throw new Error(`jointStep: the answers ask for ${asking.length} masks, ${masks} are given`);
  }
  const { samImages } = batch;
  const weighted = (name: 'ce' | 'bce' | 'dice', value: tf.Tensor): tf.Tensor => {
    return losses.add(name, tf.mul(value, config.loss[name]));
  };
  const objective = (): tf.Tensor => {
    const visionTokens = gsva.projector.forward(gsva.visionTower.forward(batch.clipImages)) as tf.Tensor3D;
    const context = llama.context(0, layout.time, layout.lengths);
    const [hidden] = llama.forward(gsva.embed(layout, visionTokens), context) as [tf.Tensor3D, unknown];
    const { positions, targets } = layout.supervised();
    const logits = gsva.lmHead.forward(gsva.statesAt(hidden, positions)) as tf.Tensor2D;
    const ce = weighted('ce', fused.softmaxCrossEntropy(logits, tf.tensor1d(targets, 'int32')));
    if (asking.length === 0 || samImages === null) return ce;
    const queries = gsva.maskQueries(
      hidden,
      asking.map(({ position }) => position),
    );
    const rows = asking.map(({ row }) => row);
    const { lowResMasks } = gsva.decodeMasks(queries, gsva.imageEncoder.forward(samImages), rows);
    const { bce, dice } = maskObjective(lowResMasks, batch.targets, config.sam.imageSize);
    return tf.addN([ce, weighted('bce', bce), weighted('dice', dice)]);
  };
  tf.tidy(() => {
    differentiate(objective, [], variables, gradients);
    return [...gradients.tensors.values()];
  });
  return gradients.tensors;
}
