/** Alarms: parts without gradients, flat losses, exploding gradients; and silence where a run learns. */
import { describe, expect, test } from '@jest/globals';
import { Random } from '../../../src/random.js';
import { LearningWatch } from '../../../src/training/watching/learning-watch.js';
import type { AlarmRecord, LogRecord, PartFigures, UpdateRecord } from '../../../src/training/watching/run-log.js';

interface Course {
  readonly loss?: (update: number) => number;
  readonly gradNorm?: (update: number) => number;
  readonly parts?: (update: number) => Record<string, number>;
}

function records(count: number, { loss = () => 1, gradNorm = () => 1, parts }: Course): UpdateRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const update = i + 1;
    const norms = Object.entries(parts?.(update) ?? {});
    const figures = norms.map(([part, norm]): [string, PartFigures] => [part, { gradNorm: norm, updateRatio: 1e-3 }]);
    return {
      type: 'update',
      update,
      epoch: update / 10,
      learningRate: 1e-3,
      losses: { loss: loss(update) },
      gradNorm: gradNorm(update),
      seconds: 1,
      elapsedSeconds: update,
      samplesPerSecond: 1,
      numTensors: 1,
      ...(parts === undefined ? {} : { parts: Object.fromEntries(figures) }),
    };
  });
}

function alarmsOf(watch: LearningWatch, course: readonly UpdateRecord[]): AlarmRecord[] {
  return course.flatMap((record) => watch.alarmsAfter(record));
}

const said = (alarms: readonly AlarmRecord[]): unknown[] =>
  alarms.map(({ update, kind, part }) => [update, kind, part]);

/** No loss is flat: what these tests are not about. */
const falling = (update: number): number => 5 / Math.sqrt(update);

describe('no gradient', () => {
  test('a part that is frozen by mistake is named, once', () => {
    const parts = (): Record<string, number> => ({ lora_q_proj: 1, lm_head: 0 });
    const alarms = alarmsOf(new LearningWatch(0), records(400, { loss: falling, parts }));
    expect(said(alarms)).toEqual([[10, 'no gradient', 'lm_head']]);
    expect(alarms[0]?.message).toMatch(/"lm_head" trains.*10 updates/);
  });

  test('zero gradients of the first updates are none of its business', () => {
    const parts = (update: number): Record<string, number> => ({ lora_v_proj: update <= 9 ? 0 : 1 });
    expect(alarmsOf(new LearningWatch(0), records(400, { loss: falling, parts }))).toEqual([]);
  });

  test('a part that has gradients by chance is given the time that chance takes', () => {
    const random = new Random(1);
    // Masks in one update of five: rows of ten without are usual, of more than 41 rarer than one in 10,000.
    const rare = (): Record<string, number> => ({ mask_decoder: random.uniform() < 0.2 ? 1 : 0 });
    const first = records(20, { loss: falling, parts: (update) => ({ mask_decoder: update % 5 === 0 ? 1 : 0 }) });
    const watch = new LearningWatch(0);
    expect(alarmsOf(watch, [...first, ...records(300, { loss: falling, parts: rare })])).toEqual([]);
    const cut = records(100, { loss: falling, parts: () => ({ mask_decoder: 0 }) });
    const alarms = alarmsOf(watch, cut);
    expect(said(alarms)).toEqual([[expect.any(Number), 'no gradient', 'mask_decoder']]);
    expect(alarms[0]?.update).toBeGreaterThan(25);
  });

  test('updates that were not measured count for nothing', () => {
    const measured = records(200, { loss: falling, parts: () => ({ lm_head: 0 }) });
    const course = measured.map(({ parts, ...record }): UpdateRecord => {
      return record.update % 10 === 0 && parts !== undefined ? { ...record, parts } : record;
    });
    expect(said(alarmsOf(new LearningWatch(0), course))).toEqual([[100, 'no gradient', 'lm_head']]);
  });
});

describe('flat loss', () => {
  test('noise around one value is flat; the warm-up does not count', () => {
    const random = new Random(2);
    const loss = (update: number): number => (update <= 30 ? 9 : 4 + random.normal());
    const alarms = alarmsOf(new LearningWatch(30), records(1000, { loss }));
    expect(said(alarms)).toEqual([[330, 'flat loss', null]]);
    expect(alarms[0]?.message).toMatch(/does not fall.*learning rate.*--overfit 4/);
  });

  test('a loss that rises is found too', () => {
    const loss = (update: number): number => 1 + update / 1000;
    expect(said(alarmsOf(new LearningWatch(0), records(1000, { loss })))).toEqual([[300, 'flat loss', null]]);
  });

  test('a window of 0 looks for none', () => {
    expect(alarmsOf(new LearningWatch(0, 0), records(1000, {}))).toEqual([]);
  });

  // As the loss of configs/tiny.json5 goes: 4 to 1 in some hundred updates, a fifth of it noise, single outliers.
  test.each([1, 2, 3, 4, 5])('a noisy loss that falls and converges is none (seed %d)', (seed) => {
    const random = new Random(seed);
    const loss = (update: number): number => {
      const outlier = random.uniform() < 0.02 ? 5 : 1;
      return outlier * (1 + 3 * Math.exp(-update / 150)) * Math.exp(0.2 * random.normal());
    };
    expect(alarmsOf(new LearningWatch(30), records(3000, { loss }))).toEqual([]);
  });

  test.each([6, 7, 8, 9])(
    'nor is one that falls by a tenth in 300 updates under noise of a tenth (seed %d)',
    (seed) => {
      const random = new Random(seed);
      const loss = (update: number): number => 2 - (0.2 * update) / 300 + 0.2 * random.normal();
      expect(alarmsOf(new LearningWatch(0), records(600, { loss }))).toEqual([]);
    },
  );

  test('nor one that is near zero from the beginning', () => {
    const random = new Random(3);
    expect(alarmsOf(new LearningWatch(0), records(900, { loss: () => 1e-3 * random.uniform() }))).toEqual([]);
  });
});

describe('exploding gradient', () => {
  test('is said after five updates in a row', () => {
    const gradNorm = (update: number): number => (update < 150 ? 2 : 1000);
    const alarms = alarmsOf(new LearningWatch(0), records(300, { loss: falling, gradNorm }));
    expect(said(alarms)).toEqual([[154, 'exploding gradient', null]]);
    expect(alarms[0]?.message).toMatch(/norm was 2\.00.*now 1\.00e\+3/);
  });

  test('single peaks, which clipping takes care of, are none', () => {
    const gradNorm = (update: number): number => (update % 50 === 0 ? 1e4 : 2);
    expect(alarmsOf(new LearningWatch(0), records(400, { loss: falling, gradNorm }))).toEqual([]);
  });
});

test('an interrupted run goes on where it was, and does not repeat itself', () => {
  const random = new Random(4);
  const course = records(1000, { loss: () => 4 + random.normal(), parts: () => ({ lm_head: 0 }) });
  const whole = alarmsOf(new LearningWatch(0), course);
  expect(said(whole)).toEqual([
    [10, 'no gradient', 'lm_head'],
    [300, 'flat loss', null],
  ]);
  const log: LogRecord[] = [...course.slice(0, 250), ...whole.slice(0, 1)];
  const resumed = new LearningWatch(0);
  resumed.remember(log);
  expect(alarmsOf(resumed, course.slice(250))).toEqual(whole.slice(1));
});
