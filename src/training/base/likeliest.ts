/** The likeliest class of each row of logits, for the base's validations. */
import * as tf from '../../engine/tf.js';
import { UserError } from '../../errors.js';
import { culpritText, type Network } from '../../checkpoints/not-finite.js';

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
export async function readLikeliest(
  network: Network,
  classes: tf.Tensor,
  rerun: () => unknown,
): Promise<readonly number[]> {
  const read = Array.from(await classes.data());
  if (!read.includes(NO_CLASS)) return read;
  throw new UserError(`Validating: logits are not finite. ${await culpritText(network, rerun)}`, 'not-finite');
}
