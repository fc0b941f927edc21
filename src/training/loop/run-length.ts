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
