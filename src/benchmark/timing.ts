/** Repeated measurement of one piece of work. */
import { median } from '../median.js';
import * as tf from '../engine/tf.js';

/** Seconds of some work. */
export interface Runs {
  /** Each counted run, in order. */
  readonly runs: readonly number[];
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function summary(runs: readonly number[]): Runs {
  return { runs, median: median([...runs]), min: Math.min(...runs), max: Math.max(...runs) };
}

export interface Timing extends Runs {
  readonly name: string;
  /** Largest resident memory of this process so far, in bytes. */
  readonly peakRss: number;
}

/** Work that has read its result when its promise resolves: some engines compute later than they are asked. */
export type Work = () => Promise<unknown>;

/**
 * @param runs counted, after one to warm up
 * @param onRun called before every run with the number done, the warm-up among them
 */
export async function time(name: string, work: Work, runs: number, onRun?: (done: number) => void): Promise<Timing> {
  const seconds: number[] = [];
  for (let run = 0; run <= runs; run++) {
    onRun?.(run);
    const start = performance.now();
    await work();
    if (run > 0) seconds.push((performance.now() - start) / 1000);
  }
  return { name, ...summary(seconds), peakRss: peakRss() };
}

/** Largest resident memory of this process so far, in bytes. */
export function peakRss(): number {
  return process.resourceUsage().maxRSS * 1024; // libuv gives KiB everywhere
}

/** Computes and waits for the numbers. */
export async function readResult(compute: () => tf.Tensor): Promise<void> {
  const result = tf.tidy(compute);
  try {
    await result.data();
  } finally {
    result.dispose();
  }
}

/** Waits until an update of the variables is computed. */
export async function readLast(variables: ReadonlyMap<string, tf.Variable>): Promise<void> {
  const last = [...variables.values()].at(-1);
  if (last !== undefined) await readResult(() => tf.slice(tf.reshape(last, [-1]), 0, 1));
}
