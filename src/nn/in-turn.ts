/** Layers one after another, holding no more than the one at work needs. */
import * as tf from '../engine/tf.js';
import { atOnce, type Steps } from '../engine/steps.js';

/**
 * Applies the layers in order, each to the output of the one before. What a layer leaves behind, and every output but the
 * last, is freed at once (a tape keeps what its gradients need).
 * @param x stays the caller's
 * @param layers none may return its input
 * @returns the last layer's output, or x where there is no layer
 */
export function inTurn<T extends tf.Tensor>(x: T, layers: readonly ((x: T) => T)[]): T {
  return atOnce(inTurnSteps(x, layers));
}

/** The same with a step after every layer; where it is not finished, what it made is freed. */
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
