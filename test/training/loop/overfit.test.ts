/** Learning a few samples by heart: which samples, and the judgement at the end. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { UserError } from '../../../src/errors.js';
import { Random } from '../../../src/random.js';
import { judgeOverfit, overfitTask, withinSamples } from '../../../src/training/loop/overfit.js';
import { readRunLog, type RunHistory } from '../../../src/training/watching/run-log.js';
import { Trainer } from '../../../src/training/loop/trainer.js';
import type { TrainerOptions } from '../../../src/training/loop/trainer-options.js';
import { newRunDir, toyOptions, ToyTask, useEngine } from '../toy-tasks.js';

beforeAll(useEngine('cpu'));

async function namesAt(task: ToyTask, count: number, positions: readonly number[]): Promise<(string | undefined)[]> {
  const stream = overfitTask(task, count).samples(new Random(3), () => undefined);
  const samples = await Promise.all(positions.map((position) => stream.at(position)));
  await stream.close?.();
  return samples.map((sample) => (sample === null ? undefined : `${sample.name} ${sample.x[0]}`));
}

describe('overfitTask', () => {
  test('gives the first samples of the order, with what was drawn for them, again and again', async () => {
    const task = new ToyTask({ noise: 1 });
    const whole = task.samples(new Random(3));
    const first = [await whole.at(0), await whole.at(1), await whole.at(2)].map((one) => `${one?.name} ${one?.x[0]}`);
    expect(await namesAt(task, 3, [0, 1, 2, 3, 4, 5, 9])).toEqual([...first, ...first, first[0]]);
    expect(overfitTask(task, 3).sampleCount).toBe(3);
    task.dispose();
  });

  test('passes over what cannot be used', async () => {
    const task = new ToyTask();
    const samples = task.samples.bind(task);
    task.samples = (random) => {
      const stream = samples(random);
      return { at: async (position) => (position % 2 === 0 ? null : stream.at(position)) };
    };
    const names = await namesAt(task, 2, [0, 1, 2]);
    expect(new Set(names).size).toBe(2);
    expect(names[2]).toBe(names[0]);
    expect(task.released).toBe(2);
    task.dispose();
  });

  test('says so where none can be used, or more are asked for than there are', async () => {
    const task = new ToyTask();
    expect(() => overfitTask(task, 13)).toThrow('--overfit 13: the training set has 12 samples');
    task.samples = () => ({ at: () => Promise.resolve(null) });
    await expect(namesAt(task, 2, [0])).rejects.toThrow('only 0 samples can be used');
    task.dispose();
  });
});

async function overfitted(changes: Partial<TrainerOptions>): Promise<RunHistory> {
  const runDir = newRunDir();
  const task = new ToyTask();
  const options = toyOptions({ batchSize: 4, accumulation: 1, watchEvery: 1, ...changes });
  await new Trainer(overfitTask(task, 4), options, { runDir }).run();
  task.dispose();
  return readRunLog(join(runDir, 'log.jsonl'));
}

const SCHEDULE = { learningRate: 0.05, warmupUpdates: 2, totalUpdates: 80, decay: 'linear' as const };
const JUDGED = { samples: 4, samplesPerUpdate: 4, bound: null };

describe('judgeOverfit', () => {
  test('four samples are learned', async () => {
    const history = await overfitted({ schedule: SCHEDULE });
    const { loss, bound, isReached, advice } = judgeOverfit(history, JUDGED);
    expect(isReached).toBe(true);
    expect(loss).toBeLessThan(bound);
    expect(advice).toEqual([]);
  });

  test('a bound out of reach: it is said that it learns, and what had no gradient', async () => {
    const history = await overfitted({ schedule: SCHEDULE });
    const { isReached, bound, advice } = judgeOverfit(history, { ...JUDGED, bound: 1e-9 });
    expect([isReached, bound]).toEqual([false, 1e-9]);
    const text = advice.join('\n');
    expect(text).toMatch(/parts of the loss, first → last: half .* → .*; the highest is half/);
    expect(text).toMatch(/no gradient ever reached: idle\n/);
    expect(text).toMatch(/update 10: "idle" trains, but had no gradient/);
    expect(text).toMatch(/It learns: give it more updates/);
    expect(text).not.toMatch(/did not move/);
  });

  test('weights that do not move are named', async () => {
    // No schedule has a learning rate of 0, but multipliers may be.
    const { optimizer } = toyOptions();
    const history = await overfitted({
      schedule: SCHEDULE,
      flatWindow: 20,
      optimizer: { ...optimizer, learningRateMultipliers: { '.': 0 } },
    });
    const { isReached, advice } = judgeOverfit(history, JUDGED);
    expect(isReached).toBe(false);
    const text = advice.join('\n');
    expect(text).toMatch(/these had gradients, but did not move: w1, b1, w2, b2; look at the learning rate/);
    expect(text).toMatch(/update 62: The loss does not fall/);
    expect(text).toMatch(/Look at the samples/);
  });

  test('a run without an update cannot be judged', () => {
    expect(() => judgeOverfit({ updates: [], alarms: [] }, JUDGED)).toThrow(UserError);
  });
});

test.each([
  [16, 1, 4, 1, 4, 1],
  [2, 10, 4, 1, 2, 2],
  [2, 10, 64, 1, 2, 10],
  [16, 1, 4, 2, 2, 1],
  [16, 1, 1, 2, 1, 1],
])('batch %d × %d, %d samples, %d ranks: updates of %d × %d', (batchSize, accumulation, count, ranks, batch, times) => {
  const training = toyOptions({ batchSize, accumulation });
  expect(withinSamples(training, count, ranks)).toMatchObject({ batchSize: batch, accumulation: times });
});
