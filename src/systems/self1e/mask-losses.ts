/**
 * Mask losses of SELF1E: BCE and DICE of every mask at a size whose shorter side is at most 128, of the logits at the
 * pixels' resolution and at that of the states.
 */
import * as fused from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import { resizeBilinear } from '../../nn/bilinear.js';
import type { BinaryMask } from '../../types.js';
import { stackMasks } from '../shared/mask-objective.js';

/** Longest that the shorter side of a target may be. */
const MOST_PIXELS = 128;

/** [height, width] at which a mask of a size is judged. */
export function targetSize(height: number, width: number): readonly [number, number] {
  const shorter = Math.min(height, width);
  if (shorter <= MOST_PIXELS) return [height, width];
  const reduced = (side: number): number => Math.floor((side * MOST_PIXELS) / shorter);
  return [reduced(height), reduced(width)];
}

/** Targets [n, H, W] at the size at which they are judged; values between 0 and 1 stay. */
export function reducedTargets(masks: readonly BinaryMask[], height: number, width: number): tf.Tensor3D {
  const [to, across] = targetSize(height, width);
  const stacked = stackMasks(masks, height, width);
  return to === height && across === width ? stacked : resizeBilinear(stacked, to, across);
}

/**
 * Sums over masks of BCE (mean over pixels) and DICE.
 * @param logits [n, h, w] of any resolution, several of the same masks @param targets [n, H, W]
 */
export function maskLosses(logits: readonly tf.Tensor3D[], targets: tf.Tensor3D) {
  const [, height, width] = targets.shape;
  const losses = logits.map((each) => fused.maskLoss(resizeBilinear(each, height, width), targets));
  return {
    bce: tf.addN(losses.map(({ bce }) => tf.sum(bce))),
    dice: tf.addN(losses.map(({ dice }) => tf.sum(dice))),
  };
}
