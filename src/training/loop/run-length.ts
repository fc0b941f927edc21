/** How long a run is: in updates, or in epochs, which become updates once the data has been counted. */
import { UserError } from '../../errors.js';
import type { TrainingConfig } from '../config/training-config.js';
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
  const updates = schedule.totalUpdates ?? updatesOf(schedule.totalEpochs ?? 0, sampleCount, samplesPerUpdate);
  return updates === null ? null : { samplesPerUpdate, updates, samples: updates * samplesPerUpdate };
}

/** Options of the trainer, once the number of samples is known. */
export function trainerOptions(training: TrainingConfig, sampleCount: number, ranks: number): TrainerOptions {
  const length = runLength(training, sampleCount, ranks);
  if (length === null) throw new Error('trainerOptions: the number of samples is known');
  const { totalEpochs = null, learningRate, warmupUpdates, decay, maxMinutes, form } = training.schedule;
  if (totalEpochs !== null && length.updates <= warmupUpdates) {
    throw new UserError(
      `Training ${totalEpochs} epochs of ${sampleCount} samples makes ${length.updates} updates of ` +
        `${length.samplesPerUpdate} samples, but the warm-up alone takes ${warmupUpdates}. Set ` +
        'training.schedule.warmupUpdates lower, or make updates of fewer samples (training.accumulation).',
    );
  }
  const optional = { ...(maxMinutes === undefined ? {} : { maxMinutes }), ...(form === undefined ? {} : { form }) };
  const schedule = { learningRate, warmupUpdates, totalUpdates: length.updates, decay, ...optional };
  return { ...training, schedule };
}

/** The last update takes the samples that are left, and some of the next epoch. */
function updatesOf(epochs: number, sampleCount: number | null, samplesPerUpdate: number): number | null {
  return sampleCount === null ? null : Math.max(1, Math.ceil((epochs * sampleCount) / samplesPerUpdate));
}
