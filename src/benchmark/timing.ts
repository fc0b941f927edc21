/** Repeated measurement of one piece of work. */
import { median } from '../engine/benchmark.js';

export interface Timing {
  readonly name: string;
  /** Seconds of each counted run, in order. */
  readonly runs: readonly number[];
  readonly median: number;
  readonly min: number;
  readonly max: number;
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
  return {
    name,
    runs: seconds,
    median: median(seconds),
    min: Math.min(...seconds),
    max: Math.max(...seconds),
    peakRss: peakRss(),
  };
}

/** Largest resident memory of this process so far, in bytes. */
export function peakRss(): number {
  return process.resourceUsage().maxRSS * 1024; // libuv gives KiB everywhere
}
