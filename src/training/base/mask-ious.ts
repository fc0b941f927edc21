/** How well the base's masks fit, for its validations. */
import { culpritText, type Network, requireFinite } from '../../checkpoints/not-finite.js';
import * as tf from '../../engine/tf.js';
import { UserError } from '../../errors.js';
import type { GroundingModel, MaskTargets } from '../../systems/system.js';

/** In place of a class where a row's logits are not finite: the largest of them would be any. */
const NO_CLASS = -1;

/** @param logits [N, V] @returns [N] int32, for `readLikeliest` */
export function likeliest(logits: tf.Tensor2D): tf.Tensor1D {
  return tf.tidy(() => {
    // 0 for finite rows, NaN for all others
    const check = tf.sum(tf.sub(logits, logits), 1);
    const classes = tf.argMax(logits, 1);
    const none = tf.fill(classes.shape, NO_CLASS, 'int32');
    return tf.where(tf.equal(check, 0), classes, none) as tf.Tensor1D;
  });
}

/**
 * @param rerun repeats the computation, leaving no tensor @throws UserError naming the first part that is not finite
 */
export async function readLikeliest(network: Network, classes: tf.Tensor, rerun: () => unknown) {
  const read = Array.from(await classes.data());
  if (!read.includes(NO_CLASS)) return read;
  throw new UserError(`Validating: logits are not finite. ${await culpritText(network, rerun)}`, 'not-finite');
}

/** The computation once more, leaving no tensor. */
export function repeated(compute: () => tf.TensorContainer): () => void {
  return () => {
    tf.dispose(tf.tidy(compute));
  };
}

/**
 * IoU of every mask with its target at the original size; 1 where both are empty.
 * @param lowResMasks [Q, s, s] logits; stays the caller's @param targets by image @param rerun repeats the computation,
 * leaving no tensor @throws UserError naming the first part that is not finite
 */
export async function maskIous(
  model: GroundingModel,
  lowResMasks: tf.Tensor3D,
  targets: readonly MaskTargets[],
  rerun: () => unknown,
): Promise<number[]> {
  const ious: number[] = [];
  let first = 0;
  for (const target of targets) {
    const count = target.masks.length;
    if (count === 0) continue;
    const start = first;
    const logits = tf.tidy(() => model.enlarge(tf.slice(lowResMasks, [start, 0, 0], [count, -1, -1]), target));
    const values = await logits.data<'float32'>().finally(() => {
      logits.dispose();
    });
    await requireFinite(model, 'Validating: the logits of masks', values, rerun);
    first += count;
    const pixels = target.original[0] * target.original[1];
    target.masks.forEach((mask, i) => ious.push(iouOf(values.subarray(i * pixels, (i + 1) * pixels), mask.data)));
  }
  return ious;
}

function iouOf(logits: ArrayLike<number>, target: Uint8Array): number {
  let intersection = 0;
  let union = 0;
  for (let i = 0; i < target.length; i++) {
    const predicted = (logits[i] ?? 0) >= 0;
    const real = target[i] === 1;
    if (predicted && real) intersection++;
    if (predicted || real) union++;
  }
  return union === 0 ? 1 : intersection / union;
}
