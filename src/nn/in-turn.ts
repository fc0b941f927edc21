/** Layers one after another, holding no more than the one at work needs. */
import * as tf from '../engine/tf.js';

/**
 * Applies the steps in order, each to the output of the one before. What a step leaves behind, and every output but the
 * last, is freed at once (a tape keeps what its gradients need).
 * @param x stays the caller's
 * @param steps none may return its input
 * @returns the last step's output, or x where there is no step
 */
export function inTurn<T extends tf.Tensor>(x: T, steps: readonly ((x: T) => T)[]): T {
  return steps.reduce((input, step) => {
    const output = tf.tidy(() => step(input));
    if (input !== x) input.dispose();
    return output;
  }, x);
}
