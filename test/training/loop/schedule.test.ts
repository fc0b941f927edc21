/** Learning rates by update: the recorded trajectory, the formula, decay by time. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { Schedule, type ScheduleOptions } from '../../../src/training/loop/schedule.js';
import { fixture } from '../../helpers/fixtures.js';

interface RecordedOptimizer {
  lr: number;
  warmup: number;
  total: number;
  trajectory: { step: number; lr: number }[];
}

const { optimizer } = JSON.parse(readFileSync(fixture('gsva-tiny', 'case.json'), 'utf8')) as {
  optimizer: RecordedOptimizer;
};

function schedule(changes: Partial<ScheduleOptions> = {}): Schedule {
  return new Schedule({ learningRate: 2, warmupUpdates: 4, totalUpdates: 20, decay: 'linear', ...changes });
}

describe('Schedule', () => {
  test('gives the learning rates that the reference recorded', () => {
    const { lr, warmup, total, trajectory } = optimizer;
    const recorded = schedule({ learningRate: lr, warmupUpdates: warmup, totalUpdates: total });
    expect(trajectory).toHaveLength(5);
    for (const { step, lr: expected } of trajectory) expect(recorded.learningRateAt(step)).toBeCloseTo(expected, 15);
  });

  test('rises linearly from 0, then falls linearly to 0 (WarmupDecayLR)', () => {
    for (let k = 0; k <= 20; k++) {
      const expected = k < 4 ? (2 * k) / 4 : (2 * (20 - k)) / (20 - 4);
      expect(schedule().learningRateAt(k)).toBeCloseTo(expected, 14);
    }
    expect(schedule().learningRateAt(0)).toBe(0);
    expect(schedule().learningRateAt(20)).toBe(0);
    expect(schedule().learningRateAt(25)).toBe(0);
  });

  /** Recorded from the packages: findings/deepspeed-warmup-decay-lr.sh, warm-up 4, total 10, rate 1. */
  const RECORDED = {
    published: [1, 0, 0.25, 0.5, 0.75, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6],
    'published-0.19': [0, 0, 0.25, 0.5, 0.75, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6],
  } as const;

  test.each(['published', 'published-0.19'] as const)('%s gives what DeepSpeed was recorded to give', (form) => {
    const recorded = schedule({ form, learningRate: 1, warmupUpdates: 4, totalUpdates: 10 });
    RECORDED[form].forEach((rate, update) => {
      expect(recorded.learningRateAt(update)).toBe(rate);
    });
    expect(recorded.learningRateAt(11)).toBe(0);
    expect(recorded.learningRateAt(25)).toBe(0);
  });

  test('published raises a warm-up of less than two updates to two, as DeepSpeed does', () => {
    for (const warmupUpdates of [0, 1]) {
      const short = schedule({ form: 'published', learningRate: 1, warmupUpdates, totalUpdates: 10 });
      expect([0, 1, 2, 3, 4].map((update) => short.learningRateAt(update))).toEqual([1, 0, 0.5, 1, 7 / 8]);
    }
  });

  test('published is bound by time as well', () => {
    const bound = schedule({ form: 'published', maxMinutes: 10 });
    expect(bound.learningRateAt(0, 300)).toBe(1);
    expect(bound.learningRateAt(8, 600)).toBe(0);
  });

  test('linear is the default', () => {
    for (let k = 0; k <= 21; k++) {
      expect(schedule({ form: 'linear' }).learningRateAt(k)).toBe(schedule().learningRateAt(k));
    }
  });

  test('starts at the full rate without a warm-up', () => {
    expect(schedule({ warmupUpdates: 0 }).learningRateAt(0)).toBe(2);
  });

  test('cosine decay is 1 at its start, one half in the middle and 0 at the end', () => {
    const cosine = schedule({ decay: 'cosine' });
    expect(cosine.learningRateAt(2)).toBeCloseTo(1, 14);
    expect(cosine.learningRateAt(4)).toBeCloseTo(2, 14);
    expect(cosine.learningRateAt(12)).toBeCloseTo(1, 14);
    expect(cosine.learningRateAt(16)).toBeCloseTo(1 + Math.cos(Math.PI * 0.75), 14);
    expect(cosine.learningRateAt(20)).toBe(0);
  });

  test('a run bound by time decays by whichever is further on', () => {
    const bound = schedule({ maxMinutes: 10 });
    // 12 of 16 decaying updates are left, and 60 % of the time.
    expect(bound.learningRateAt(8, 240)).toBeCloseTo(2 * 0.6, 14);
    // 4 of 16 are left, and 60 % of the time.
    expect(bound.learningRateAt(16, 240)).toBeCloseTo(2 * 0.25, 14);
    expect(bound.learningRateAt(8, 600)).toBe(0);
    expect(bound.learningRateAt(8, 700)).toBe(0);
    expect(bound.learningRateAt(1, 0)).toBeCloseTo(0.5, 14);
  });

  test('says how far the run is and when it ends', () => {
    const bound = schedule({ maxMinutes: 10 });
    expect(bound.fractionAt(5, 60)).toBe(0.25);
    expect(bound.fractionAt(5, 300)).toBe(0.5);
    expect(bound.endReason(19, 599)).toBeNull();
    expect(bound.endReason(19, 600)).toBe('time');
    expect(bound.endReason(20, 0)).toBe('updates');
    expect(schedule().endReason(19, 1e9)).toBeNull();
  });
});
