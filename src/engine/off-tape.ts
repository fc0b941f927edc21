/** Computing something beside what a tape records. */
import * as tf from './tf.js';

/**
 * Runs `compute` in the middle of a function that is being differentiated, without recording it: to the gradient, what
 * it returns is a constant. It may differentiate something else itself, whose tape ends with it.
 */
export function offTape<T>(compute: () => T): T {
  const { state } = tf.engine();
  const { activeTape, gradientDepth } = state;
  Object.assign(state, { activeTape: null, gradientDepth: 0 });
  try {
    return compute();
  } finally {
    Object.assign(state, { activeTape, gradientDepth });
  }
}
