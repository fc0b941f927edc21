/** How long a run is: in updates, or in epochs, which become updates once the data has been counted. */
import { UsageError, UserError } from '../../errors.js';
import type { TrainingConfig } from '../config/training-config.js';
import type { TrainingState } from '../saving/training-checkpoint.js';
import type { TrainerOptions } from './trainer-options.js';

export interface RunLength {
  /** Samples of an update, of all ranks together. */
  readonly samplesPerUpdate: number;
  readonly updates: number;
  /** Samples of the whole run. */
  readonly samples: number;
}

/** @param sampleCount null where the data is absent @returns null where the length then cannot be known */
export function runLength(
  { batchSize, accumulation, schedule }: TrainingConfig,
  sampleCount: number | null,
  ranks: number,
): RunLength | null {
  const samplesPerUpdate = batchSize * accumulation * ranks;
  const { totalUpdates, totalEpochs = 0 } = schedule;
  if (totalUpdates === undefined && sampleCount === null) return null;
  // The last update takes the samples that are left, and some of the next epoch.
  const ofEpochs = Math.max(1, Math.ceil((totalEpochs * (sampleCount ?? 0)) / samplesPerUpdate));
  const updates = totalUpdates ?? ofEpochs;
  return { samplesPerUpdate, updates, samples: updates * samplesPerUpdate };
}

/** Options of the trainer, once the number of samples is known. */
export function trainerOptions(training: TrainingConfig, sampleCount: number, ranks: number): TrainerOptions {
  const length = runLength(training, sampleCount, ranks);
  if (length === null) throw new Error('trainerOptions: the number of samples is known');
  const { totalEpochs, learningRate, warmupUpdates, decay, maxMinutes, form } = training.schedule;
  if (totalEpochs !== undefined && length.updates <= warmupUpdates) {
    throw new UserError(
      `Training ${totalEpochs} epochs of ${sampleCount} samples makes ${length.updates} updates of ` +
        `${length.samplesPerUpdate} samples, but the warm-up alone takes ${warmupUpdates}. Set ` +
        'training.schedule.warmupUpdates lower, or make updates of fewer samples (training.accumulation).',
    );
  }
  // In the order of earlier checkpoints, with whose schedules this one is compared as text.
  const optional = { ...(maxMinutes === undefined ? {} : { maxMinutes }), ...(form === undefined ? {} : { form }) };
  const schedule = { learningRate, warmupUpdates, totalUpdates: length.updates, decay, ...optional };
  return { ...training, schedule };
}

/** Length of a run so far, by its checkpoint: that of all sittings together, since the learning rate decays by it. */
type Saved = Pick<TrainingState, 'update' | 'elapsedSeconds' | 'schedule'>;

/** @throws UsageError where another length than before is asked for, and it is over already */
export function refuseSpentLength(saved: Saved, wanted: TrainingState['schedule']): void {
  const { update, elapsedSeconds, schedule } = saved;
  const minutes = elapsedSeconds / 60;
  const { maxMinutes, totalUpdates } = wanted;
  if (maxMinutes !== undefined && maxMinutes !== schedule.maxMinutes && maxMinutes <= minutes) {
    throw new UsageError(
      `--minutes (training.schedule.maxMinutes) ${maxMinutes} is the time of the whole run, all sittings together, and ` +
        `this run has trained for ${minutesText(minutes)} already: name the sum, --minutes ` +
        `${Math.ceil((minutes + maxMinutes) * 10) / 10} for ${maxMinutes} more`,
    );
  }
  if (totalUpdates !== schedule.totalUpdates && totalUpdates <= update) {
    throw new UsageError(
      `training.schedule.totalUpdates ${totalUpdates} is the length of the whole run, and this run has made ${update} ` +
        `updates already: name the sum, ${update + totalUpdates} for ${totalUpdates} more`,
    );
  }
}

/** The note for a run with nothing left to do; null where something is. */
export function completeNote({ update, elapsedSeconds, schedule }: Saved): string | null {
  const { maxMinutes, totalUpdates } = schedule;
  const more = 'The run is complete: ';
  if (update >= totalUpdates) {
    return `${more}its ${totalUpdates} updates are done; a higher training.schedule.totalUpdates goes on.`;
  }
  if (maxMinutes === undefined || elapsedSeconds < 60 * maxMinutes) return null;
  return `${more}its ${minutesText(maxMinutes)} are over, after ${update} updates; a higher --minutes goes on.`;
}

/** How the length changes; null where something else of the schedule does, or nothing. */
export function minutesChange({ elapsedSeconds, schedule }: Saved, wanted: TrainingState['schedule']): string | null {
  const others = ({ maxMinutes: _, ...rest }: TrainingState['schedule']): string => JSON.stringify(rest);
  if (others(schedule) !== others(wanted) || schedule.maxMinutes === wanted.maxMinutes) return null;
  const [before, now] = [schedule.maxMinutes, wanted.maxMinutes].map((minutes) =>
    minutes === undefined ? 'no limit of time' : `${minutesText(minutes)} in all`,
  );
  return `The run goes on to ${now ?? ''} (before: ${before ?? ''}); ${minutesText(elapsedSeconds / 60)} of them are used.`;
}

function minutesText(minutes: number): string {
  return `${Number(minutes.toFixed(1))} minutes`;
}
