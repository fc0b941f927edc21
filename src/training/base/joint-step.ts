/**
 * One forward and backward pass of the grounding objective (systems/shared/llava-sam-step.ts) on one tape, encoders
 * included. All activations are held, so it is for small models; it is a fourth faster than recomputing by segments.
 */
import * as fused from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import { differentiate, GradientMap, type NamedTensors, type NamedVariables } from '../../nn/backprop.js';
import { type Gradients, type LossParts, stepWithLosses } from '../../nn/loss-parts.js';
import type { LlavaSam } from '../../systems/shared/llava-sam.js';
import { maskObjective } from '../../systems/shared/mask-objective.js';
import type { TrainingBatch } from '../../systems/system.js';

export interface JointBatch extends Omit<TrainingBatch, 'features'> {
  /** Inputs of the encoders [B, S, S, 3]; stay the caller's. No 'sam' where no mask is asked for. */
  readonly inputs: { readonly clip: tf.Tensor4D; readonly sam?: tf.Tensor4D };
}

/** @param variables by checkpoint name without prefix @returns losses, and gradients that the caller owns */
export function jointStep(model: LlavaSam, batch: JointBatch, variables: NamedVariables): Promise<Gradients> {
  return stepWithLosses(['ce', 'bce', 'dice'] as const, (losses) => backpropagate(model, batch, variables, losses));
}

function backpropagate(
  model: LlavaSam,
  { rows, inputs, places, targets }: JointBatch,
  variables: NamedVariables,
  losses: LossParts<'ce' | 'bce' | 'dice'>,
): NamedTensors {
  const { encoders, config } = model;
  const masks = targets.reduce((sum, target) => sum + target.masks.length, 0);
  if (places.length !== masks) {
    throw new Error(`jointStep: the answers ask for ${places.length} masks, ${masks} are given`);
  }
  const weighted = (name: 'ce' | 'bce' | 'dice', value: tf.Tensor): tf.Tensor => {
    return losses.add(name, tf.mul(value, config.loss[name]));
  };
  const objective = (): tf.Tensor => {
    const { hidden, features } = model.read(rows, { clip: encoders.clip.forward(inputs.clip) });
    const next = rows.supervised();
    const logits = model.logits(model.statesAt(hidden, next.positions));
    const ce = weighted('ce', fused.softmaxCrossEntropy(logits, tf.tensor1d(next.targets, 'int32')));
    if (places.length === 0 || inputs.sam === undefined) return ce;
    const sam = encoders.sam.forward(inputs.sam);
    const { masks } = model.ground({ hidden, features: { ...features, sam } }, places);
    const { bce, dice } = maskObjective(model, masks, targets);
    return tf.addN([ce, weighted('bce', bce), weighted('dice', dice)]);
  };
  return gradientsOnTape(objective, variables);
}

/** Gradients of a scalar on one tape; owned by the caller. All else that `objective` makes is disposed. */
export function gradientsOnTape(objective: () => tf.Tensor, variables: NamedVariables): NamedTensors {
  const gradients = new GradientMap();
  tf.tidy(() => {
    differentiate(objective, [], variables, gradients);
    return [...gradients.tensors.values()];
  });
  return gradients.tensors;
}
