/**
 * Learning rate by update: linear warm-up from 0, then decay to 0 (DeepSpeed's WarmupDecayLR, which the reference
 * trains with). Update k has lr·k/warmup while k < warmup, then lr·(total - k)/(total - warmup); update 0 moves nothing.
 *
 * A run that is bound by time decays by whichever is further on, its updates or its minutes, so that the learning rate
 * arrives at 0 when the run ends.
 */
import { UserError } from '../errors.js';

export interface ScheduleOptions {
  /** Highest learning rate, reached at the end of the warm-up. */
  readonly learningRate: number;
  /** Updates of the warm-up; 0 for none. */
  readonly warmupUpdates: number;
  /** Updates of the whole run. */
  readonly totalUpdates: number;
  readonly decay: 'linear' | 'cosine';
  /** The run ends after this many minutes if its updates are not done by then. */
  readonly maxMinutes?: number;
}

export class Schedule {
  constructor(readonly options: ScheduleOptions) {
    const { learningRate, warmupUpdates, totalUpdates, maxMinutes } = options;
    if (!(learningRate > 0 && Number.isFinite(learningRate))) {
      throw new UserError(`Training schedule: learningRate must be a positive number, found ${learningRate}.`);
    }
    if (!(Number.isSafeInteger(totalUpdates) && totalUpdates > 0)) {
      throw new UserError(`Training schedule: totalUpdates must be a positive integer, found ${totalUpdates}.`);
    }
    if (!(Number.isSafeInteger(warmupUpdates) && warmupUpdates >= 0 && warmupUpdates < totalUpdates)) {
      throw new UserError(
        `Training schedule: warmupUpdates must be an integer from 0 to below totalUpdates (${totalUpdates}), ` +
          `found ${warmupUpdates}.`,
      );
    }
    if (maxMinutes !== undefined && !(maxMinutes > 0)) {
      throw new UserError(`Training schedule: maxMinutes must be a positive number, found ${maxMinutes}.`);
    }
  }

  /** Learning rate of update `update` (counted from 0) that begins `elapsedSeconds` into the run. */
  learningRateAt(update: number, elapsedSeconds = 0): number {
    const { learningRate, warmupUpdates, totalUpdates, decay } = this.options;
    const remaining = Math.max(
      0,
      Math.min(1, (totalUpdates - update) / (totalUpdates - warmupUpdates), 1 - this.timeFraction(elapsedSeconds)),
    );
    const decayed = decay === 'linear' ? remaining : (1 - Math.cos(Math.PI * remaining)) / 2;
    return learningRate * Math.min(decayed, update < warmupUpdates ? update / warmupUpdates : 1);
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
