/** Computation outside of a gradient tape. */
import * as tf from './tf.js';

/**
 * Runs `compute` inside a differentiated function without recording it: its result is a constant to the gradient. It
 * may differentiate something itself.
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
