/** Layers in sequence, with no more memory than the current one needs. */
import * as tf from '../engine/tf.js';
import type { Steps } from '../engine/steps.js';

/**
 * Applies the layers in order, with a step after each. Intermediate tensors and all outputs but the last are freed at
 * once (a tape keeps what its gradients need); an unfinished run frees its tensors.
 * @param x stays the caller's
 * @param layers none may return its input
 */
export function* inTurnSteps<T extends tf.Tensor>(x: T, layers: readonly ((x: T) => T)[]): Steps<T> {
  let current = x;
  let isDone = false;
  try {
    for (const layer of layers) {
      const input = current;
      current = tf.tidy(() => layer(input));
      if (input !== x) input.dispose();
      yield current;
    }
    isDone = true;
    return current;
  } finally {
    if (!isDone && current !== x) current.dispose();
  }
}
