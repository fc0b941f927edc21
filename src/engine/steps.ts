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
  await nextTurn();
  signal.throwIfAborted();
}

/** Browsers have no setImmediate. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else setTimeout(resolve);
  });
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
