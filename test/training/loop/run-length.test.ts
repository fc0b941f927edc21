/** Epochs become updates, for any number of ranks. */
import { describe, expect, test } from '@jest/globals';
import type { ScheduleConfig, TrainingConfig } from '../../../src/training/config/training-config.js';
import { runLength, trainerOptions } from '../../../src/training/loop/run-length.js';

function training(schedule: Partial<ScheduleConfig>): TrainingConfig {
  return {
    ...{ seed: 1, batchSize: 2, accumulation: 10, prefetch: 1, validateEvery: 0, checkpointEvery: 0 },
    optimizer: { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, clipNorm: 1 },
    schedule: { learningRate: 1e-4, warmupUpdates: 100, decay: 'linear', ...schedule },
  };
}

describe('runLength', () => {
  test('ten epochs of gRefCOCO on eight GPUs', () => {
    expect(runLength(training({ totalEpochs: 10 }), 16_994, 8)).toEqual({
      samplesPerUpdate: 160,
      updates: 1063, // 1062.1, the last one with samples of an eleventh epoch
      samples: 170_080,
    });
  });

  test('in epochs the length depends on the data, in updates it does not', () => {
    expect(runLength(training({ totalEpochs: 10 }), null, 8)).toBeNull();
    expect(runLength(training({ totalUpdates: 7 }), null, 1)).toEqual({
      samplesPerUpdate: 20,
      updates: 7,
      samples: 140,
    });
  });
});

describe('trainerOptions', () => {
  test('gives the trainer updates, and leaves the rest as it is', () => {
    const { schedule, ...rest } = trainerOptions(training({ totalEpochs: 10, maxMinutes: 5 }), 16_994, 8);
    expect(schedule).toEqual({
      ...{ learningRate: 1e-4, warmupUpdates: 100, totalUpdates: 1063, decay: 'linear', maxMinutes: 5 },
    });
    expect(rest).toEqual({ ...training({}), schedule: undefined });
  });

  test('epochs so short that they are all warm-up are refused', () => {
    expect(() => trainerOptions(training({ totalEpochs: 1 }), 100, 8)).toThrow(
      /1 epochs of 100 samples makes 1 updates of 160 samples.*warmupUpdates/,
    );
  });
});
