/**
 * Mask part of the objective of GSVA and LISA: BCE (mean over pixels) and DICE of every mask at the image's original size, both
 * averaged over all masks of the batch. A rejected target takes part as an all-zero prediction (sigmoid 0.5 everywhere)
 * against an empty mask: a constant, without gradient (reference: GSVAForCausalLM.model_forward).
 */
import * as fused from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import type { BinaryMask } from '../../types.js';
import type { GroundingModel, MaskTargets } from '../system.js';

const DICE_SCALE = 1000;
const DICE_EPSILON = 1e-6;

/** Number of masks that the objective is the mean over, rejected targets included. */
export function maskCount(targets: readonly MaskTargets[]): number {
  return targets.reduce((sum, target) => sum + target.masks.length + target.rejected, 0);
}

/**
 * @param lowResMasks [Q, s, s] logits of all masks of the targets, image by image
 * @param targets one entry per image
 * @param total what the sum over the targets is divided by: their number, or the whole batch's if these are a part of it
 * @returns scalars, averaged over all masks, not yet weighted
 */
export function maskObjective(
  model: Pick<GroundingModel, 'enlarge'>,
  lowResMasks: tf.Tensor3D,
  targets: readonly MaskTargets[],
  total = maskCount(targets),
): { readonly bce: tf.Tensor; readonly dice: tf.Tensor } {
  const [, side] = lowResMasks.shape;
  const bce: tf.Tensor[] = [tf.scalar(0)];
  const dice: tf.Tensor[] = [tf.scalar(0)];
  let first = 0;
  for (const target of targets) {
    const [height, width] = target.original;
    if (target.rejected > 0) {
      const rejectedDice = 1 - DICE_EPSILON / ((0.5 * (height * width)) / DICE_SCALE + DICE_EPSILON);
      bce.push(tf.scalar(target.rejected * Math.LN2));
      dice.push(tf.scalar(target.rejected * rejectedDice));
    }
    if (target.masks.length === 0) continue;
    const logits = model.enlarge(tf.slice(lowResMasks, [first, 0, 0], [target.masks.length, side, side]), target);
    const losses = fused.maskLoss(logits, stackMasks(target.masks, height, width));
    bce.push(tf.sum(losses.bce));
    dice.push(tf.sum(losses.dice));
    first += target.masks.length;
  }
  return { bce: tf.div(tf.addN(bce), Math.max(1, total)), dice: tf.div(tf.addN(dice), Math.max(1, total)) };
}

/** Masks of one size as a float tensor [n, H, W]. */
export function stackMasks(masks: readonly BinaryMask[], height: number, width: number): tf.Tensor3D {
  const pixels = height * width;
  const data = new Float32Array(masks.length * pixels);
  masks.forEach((mask, index) => {
    if (mask.data.length !== pixels) throw new Error(`stackMasks: mask ${index} is not ${height}×${width}`);
    data.set(mask.data, index * pixels);
  });
  return tf.tensor3d(data, [masks.length, height, width]);
}
