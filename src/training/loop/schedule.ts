/**
 * Learning rate by update, in one of three forms (W updates of warm-up, T updates in all, rate lr):
 *
 * - 'linear': update k has lr·k/W while k < W, then lr·(T - k)/(T - W); update 0 moves nothing.
 * - 'published': what DeepSpeed 0.15.0, which the published code pins, does with WarmupDecayLR. It steps behind the
 *   optimizer and leaves the first update alone: update 0 has the full lr, update 1 has 0, update k has what the formula
 *   gives for k - 1.
 * - 'published-0.19': the same of DeepSpeed 0.19.8, where update 0 has 0.
 *
 * A run that is bound by time decays by whichever is further on, its updates or its minutes, so that the learning rate
 * arrives at 0 when the run ends.
 */
import type { ScheduleConfig } from '../config/training-config.js';

/** DeepSpeed raises a shorter warm-up to this many updates. */
const SHORTEST_PUBLISHED_WARMUP = 2;

export type ScheduleForm = NonNullable<ScheduleConfig['form']>;

/** A schedule whose length is known in updates. */
export type ScheduleOptions = Omit<ScheduleConfig, 'totalUpdates' | 'totalEpochs'> & { readonly totalUpdates: number };

export class Schedule {
  /** @param options as TRAINING_SCHEMA has checked them */
  constructor(readonly options: ScheduleOptions) {}

  /** Learning rate of update `update` (counted from 0) that begins `elapsedSeconds` into the run. */
  learningRateAt(update: number, elapsedSeconds = 0): number {
    const { learningRate, decay, form = 'linear' } = this.options;
    const left = 1 - this.timeFraction(elapsedSeconds);
    if (form !== 'linear') return learningRate * Math.max(0, Math.min(left, this.publishedFactor(update, form)));
    const { warmupUpdates, totalUpdates } = this.options;
    const remaining = Math.max(0, Math.min(1, (totalUpdates - update) / (totalUpdates - warmupUpdates), left));
    const decayed = decay === 'linear' ? remaining : (1 - Math.cos(Math.PI * remaining)) / 2;
    return learningRate * Math.min(decayed, update < warmupUpdates ? update / warmupUpdates : 1);
  }

  /** Share of the rate by WarmupDecayLR: the optimizer's own before its first step, then that of its step `update` - 1. */
  private publishedFactor(update: number, form: 'published' | 'published-0.19'): number {
    if (update === 0) return form === 'published' ? 1 : 0;
    const step = update - 1;
    const warmup = Math.max(SHORTEST_PUBLISHED_WARMUP, this.options.warmupUpdates);
    const total = this.options.totalUpdates;
    return step < warmup ? step / warmup : (total - step) / Math.max(1, total - warmup);
  }

  /** How much of the run is over before update `update`, in [0, 1]. */
  fractionAt(update: number, elapsedSeconds: number): number {
    return Math.min(1, Math.max(update / this.options.totalUpdates, this.timeFraction(elapsedSeconds)));
  }

  /** Why no further update is to be made, or null while there is one. */
  endReason(update: number, elapsedSeconds: number): 'updates' | 'time' | null {
    if (update >= this.options.totalUpdates) return 'updates';
    return this.timeFraction(elapsedSeconds) >= 1 ? 'time' : null;
  }

  private timeFraction(elapsedSeconds: number): number {
    const { maxMinutes } = this.options;
    return maxMinutes === undefined ? 0 : elapsedSeconds / (60 * maxMinutes);
  }
}
