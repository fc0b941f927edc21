/**
 * A long computation in steps, layer by layer: one blocking call, or, with an AbortSignal, a turn of the event loop
 * after every step, so that timers, Ctrl-C and the signal take effect.
 */
import type { Abortable } from '../abortable.js';
import * as tf from './tf.js';

/**
 * Yields the tensor of a step, which stays the generator's. Ended early (`return()`) or by an error, it frees all its
 * tensors; between two steps none may belong to a tf.tidy.
 */
export type Steps<T> = Generator<tf.Tensor, T, void>;

/** Engines that queue orders: waiting for a step means reading from its result. */
const QUEUEING: readonly string[] = ['webgpu', 'tensorflow'];

export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * All steps; without a signal in one blocking call.
 * @throws the signal's reason, at most one step after it was aborted; nothing stays allocated then
 */
export async function stepwise<T>(steps: Steps<T>, signal: Abortable | undefined): Promise<T> {
  if (signal === undefined) return atOnce(steps);
  let isDone = false;
  try {
    for (;;) {
      await pause(signal);
      const step = steps.next();
      if (step.done === true) {
        isDone = true;
        return step.value;
      }
      if (QUEUEING.includes(tf.getBackend()) && !isOneToken(step.value)) await computed(step.value);
    }
  } finally {
    if (!isDone) steps.return(undefined as never);
  }
}

/** Yields to the event loop. @throws the signal's reason where it is aborted by then */
export async function pause(signal: Abortable | undefined): Promise<void> {
  if (signal === undefined) return;
  signal.throwIfAborted();
  // Browsers have no setImmediate.
  await new Promise((resolve) => (typeof setImmediate === 'function' ? setImmediate(resolve) : setTimeout(resolve)));
  signal.throwIfAborted();
}

/** [1, 1, D]: all layers of one token take less time than waiting for each of them would cost. */
function isOneToken({ shape }: tf.Tensor): boolean {
  return shape.length === 3 && shape[0] === 1 && shape[1] === 1;
}

/** Waits for a tensor by reading one number of it. */
async function computed(x: tf.Tensor): Promise<void> {
  const one = tf.tidy(() => tf.slice(tf.reshape(x, [-1]), [0], [1]));
  try {
    await one.data();
  } finally {
    one.dispose();
  }
}

/**
 * Applies the layers in order, with a step after each and no more memory than the current one needs. Intermediate
 * tensors and all outputs but the last are freed at once (a tape keeps what its gradients need); an unfinished run frees
 * its tensors.
 * @param x stays the caller's
 * @param layers none may return its input
 */
export function* inTurnSteps(x: tf.Tensor, layers: readonly { forward(x: tf.Tensor): tf.Tensor }[]): Steps<tf.Tensor> {
  let current = x;
  let isDone = false;
  try {
    for (const layer of layers) {
      const input = current;
      current = tf.tidy(() => layer.forward(input));
      if (input !== x) input.dispose();
      yield current;
    }
    isDone = true;
    return current;
  } finally {
    if (!isDone && current !== x) current.dispose();
  }
}
