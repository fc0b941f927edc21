/** How long a run is: in updates, or in epochs, which become updates once the data has been counted. */
import { UserError } from '../../errors.js';
import type { JsonReader } from '../../io/json/json-reader.js';
import { SCHEDULE_FORMS, type ScheduleOptions } from './schedule.js';
import type { TrainerOptions } from './trainer-options.js';

/** As configured: one of the two lengths. */
export interface ScheduleConfig extends Omit<ScheduleOptions, 'totalUpdates'> {
  readonly totalUpdates?: number;
  readonly totalEpochs?: number;
}

/** How to train, as configured. */
export interface TrainingConfig extends Omit<TrainerOptions, 'schedule'> {
  readonly schedule: ScheduleConfig;
}

export interface RunLength {
  /** Samples of an update, of all ranks together. */
  readonly samplesPerUpdate: number;
  readonly updates: number;
  /** Samples of the whole run. */
  readonly samples: number;
}

const DECAYS = ['linear', 'cosine'] as const;

/** @throws UserError naming file and key */
export function readScheduleConfig(schedule: JsonReader): ScheduleConfig {
  schedule.onlyKeys(['form', 'learningRate', 'warmupUpdates', 'totalUpdates', 'totalEpochs', 'decay', 'maxMinutes']);
  const form = schedule.optional('form')?.oneOf(SCHEDULE_FORMS);
  const minutes = schedule.optional('maxMinutes');
  const epochs = schedule.optional('totalEpochs');
  if (epochs !== null) schedule.optional('totalUpdates')?.fail('null where totalEpochs is given');
  // As the trainer would, so that a dry run says it too.
  for (const positive of [schedule.key('learningRate'), epochs, minutes]) {
    if (positive?.number({ min: 0 }) === 0) positive.fail('a number above 0');
  }
  const warmup = schedule.key('warmupUpdates');
  const warmupUpdates = warmup.integer({ min: 0 });
  const updates = epochs === null ? schedule.key('totalUpdates').integer({ min: 1 }) : null;
  if (updates !== null && warmupUpdates >= updates) warmup.fail(`a whole number below totalUpdates (${updates})`);
  return {
    learningRate: schedule.key('learningRate').number({ min: 0 }),
    warmupUpdates,
    ...(updates === null ? {} : { totalUpdates: updates }),
    ...(epochs === null ? {} : { totalEpochs: epochs.number({ min: 0 }) }),
    decay: schedule.key('decay').oneOf(form === undefined || form === 'linear' ? DECAYS : (['linear'] as const)),
    ...(form === undefined ? {} : { form }),
    ...(minutes === null ? {} : { maxMinutes: minutes.number({ min: 0 }) }),
  };
}

/**
 * @param sampleCount samples that count as an epoch; null where the data is not there
 * @param ranks processes that train together
 * @returns null where the run is as long as so many epochs of data that is not there
 */
export function runLength(
  { batchSize, accumulation, schedule }: TrainingConfig,
  sampleCount: number | null,
  ranks: number,
): RunLength | null {
  const samplesPerUpdate = batchSize * accumulation * ranks;
  const updates = schedule.totalUpdates ?? updatesOf(schedule.totalEpochs ?? 0, sampleCount, samplesPerUpdate);
  return updates === null ? null : { samplesPerUpdate, updates, samples: updates * samplesPerUpdate };
}

/** What the trainer is told, once it is known how much data there is. */
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
