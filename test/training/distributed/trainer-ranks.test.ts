/** The trainer on several ranks (in one process): the updates, log and checkpoints of one rank, and restarts. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import * as tf from '../../../src/engine/tf.js';
import { UserError } from '../../../src/errors.js';
import { readSafetensors } from '../../../src/io/safetensors/safetensors.js';
import { readRunLog, type UpdateRecord } from '../../../src/training/watching/run-log.js';
import { Trainer } from '../../../src/training/loop/trainer.js';
import type { TrainerEnvironment, TrainerOptions } from '../../../src/training/loop/trainer-options.js';
import { localRanks } from '../../helpers/local-ranks.js';
import { newRunDir, toyOptions, ToyTask, useEngine, ValidatedToyTask } from '../toy-tasks.js';

/** A larger eps than usual: where a gradient is all but 0, Adam would turn the last bit of a sum into a whole step. */
const OPTIMIZER = { beta1: 0.9, beta2: 0.95, eps: 1e-3, weightDecay: 0, clipNorm: 1 };

let tensorsBefore = 0;
beforeAll(useEngine('wasm'));
beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

const optionsFor = (ranks: number, changes: Partial<TrainerOptions> = {}): TrainerOptions =>
  toyOptions({ accumulation: 4 / ranks, optimizer: OPTIMIZER, ...changes });

interface Run {
  readonly updates: readonly UpdateRecord[];
  /** Of every rank. */
  readonly weights: readonly Record<string, number[]>[];
}

/** 4 micro-batches in each update, whatever the number of ranks. */
async function run(
  ranks: number,
  environment: TrainerEnvironment,
  changes: Partial<TrainerOptions> = {},
  makeTask: (rank: number) => ToyTask = () => new ToyTask({ dropout: 0.2, noise: 0.1 }),
): Promise<Run> {
  const weights = await Promise.all(
    localRanks(ranks).map(async (communicator, rank) => {
      const task = makeTask(rank);
      try {
        await new Trainer(task, optionsFor(ranks, changes), {
          ...environment,
          ...(ranks === 1 ? {} : { communicator }),
        }).run();
        return task.weights();
      } finally {
        task.dispose();
      }
    }),
  );
  return { updates: readRunLog(join(environment.runDir, 'log.jsonl')).updates, weights };
}

function expectSameRun(found: Run, expected: Run): void {
  expect(found.updates.map(({ update, epoch, learningRate }) => [update, epoch, learningRate])).toEqual(
    expected.updates.map(({ update, epoch, learningRate }) => [update, epoch, learningRate]),
  );
  found.updates.forEach(({ losses, gradNorm }, index) => {
    const other = expected.updates[index] as UpdateRecord;
    expect(Object.keys(losses)).toEqual(Object.keys(other.losses));
    for (const [name, value] of Object.entries(losses)) expect(value).toBeCloseTo(other.losses[name] as number, 5);
    expect(gradNorm).toBeCloseTo(other.gradNorm, 5);
  });
  for (const weights of found.weights) {
    for (const [name, values] of Object.entries(expected.weights[0] ?? {})) {
      values.forEach((value, index) => {
        expect(Math.abs((weights[name]?.[index] ?? NaN) - value)).toBeLessThan(1e-5);
      });
    }
  }
}

describe('a training on several ranks', () => {
  test.each([2, 4])('of %i averages the sums of its ranks, as DeepSpeed does', async (ranks) => {
    const [first] = (await run(1, { runDir: newRunDir() })).updates;
    const [summed] = (await run(ranks, { runDir: newRunDir() }, { accumulate: 'sum' })).updates;
    // Each rank adds 4 / ranks micro-batches; the mean of all is that of one process.
    expect(summed?.gradNorm).toBeCloseTo((4 / ranks) * (first?.gradNorm as number), 4);
  });

  test.each([2, 4])('of %i makes the updates of one rank', async (ranks) => {
    const expected = await run(1, { runDir: newRunDir() });
    const found = await run(ranks, { runDir: newRunDir() });
    expectSameRun(found, expected);
    for (const weights of found.weights) expect(weights).toEqual(found.weights[0]);
    expect(found.updates[0]?.sentBytes).toBeGreaterThan(0);
    expect(expected.updates[0]).not.toHaveProperty('sentBytes');
  });

  test.each([
    [4, 1],
    [1, 2],
    [2, 4],
  ])('goes on from the checkpoint of %i ranks with %i', async (before, after) => {
    const expected = await run(1, { runDir: newRunDir() });
    const runDir = newRunDir();
    await stopAfter(5, before, runDir);
    const found = await run(after, { runDir, resume: true });
    expectSameRun(found, expected);
  });

  test('writes the checkpoint that one rank writes, each rank its share of the moments', async () => {
    const [one, two] = [newRunDir(), newRunDir()];
    await run(1, { runDir: one });
    await run(2, { runDir: two });
    const stateOf = (runDir: string): Record<string, unknown> => {
      const state = JSON.parse(readFileSync(join(runDir, 'last', 'state.json'), 'utf8')) as Record<string, unknown>;
      delete state.elapsedSeconds;
      return state;
    };
    expect(stateOf(two)).toEqual({ ...stateOf(one), ranks: 2 });
    const shards = ['optimizer-00001-of-00002.safetensors', 'optimizer-00002-of-00002.safetensors'];
    expect(readdirSync(join(two, 'last')).sort()).toEqual([...shards, 'state.json', 'weights.safetensors']);
    // m and v, 4 bytes each, of the 4·8 + 8 + 8 + 1 numbers that have been updated; 3 more are somebody's without moments.
    const bytes = shards.map((name) =>
      [...readSafetensors(join(two, 'last', name)).tensors.values()].reduce(
        (sum, { data }) => sum + data.byteLength,
        0,
      ),
    );
    expect(bytes.reduce((sum, size) => sum + size, 0)).toBe(8 * 49);
    for (const size of bytes) expect(size).toBeLessThanOrEqual(8 * 26);
  });

  test('validates on rank 0; all learn the figures and choose the same best', async () => {
    const runDir = newRunDir();
    const tasks: ValidatedToyTask[] = [];
    const changes = { validateEvery: 4, bestMetric: { name: 'accuracy', mode: 'max' } } as const;
    await run(2, { runDir }, changes, (rank) => {
      tasks[rank] = new ValidatedToyTask([0.5, 0.7, NaN]);
      return tasks[rank];
    });
    expect(tasks.map(({ validations }) => validations)).toEqual([3, 0]);
    expect(readRunLog(join(runDir, 'log.jsonl')).validations.map(({ isBest }) => isBest)).toEqual([true, true, false]);
  });

  test('does not start when ranks have different weights', async () => {
    const runDir = newRunDir();
    const running = run(2, { runDir }, {}, (rank) => {
      const task = new ToyTask();
      if (rank === 1) {
        tf.tidy(() => {
          task.variables.get('w1')?.assign(tf.ones([4, 8]));
        });
      }
      return task;
    });
    await expect(running).rejects.toThrow(UserError);
    await expect(running).rejects.toThrow(/weights is .* on rank 0 .* on rank 1/);
    await new Promise((resolve) => setTimeout(resolve, 50)); // the other rank's end
  });
});

/** A run that is stopped on its last rank, as by a signal. */
async function stopAfter(stop: number, ranks: number, runDir: string): Promise<void> {
  const controllers = Array.from({ length: ranks }, () => new AbortController());
  await Promise.all(
    localRanks(ranks).map(async (communicator, rank) => {
      const task = new ToyTask({ dropout: 0.2, noise: 0.1 });
      const observer = {
        onUpdate: ({ update }: UpdateRecord): void => {
          if (update === stop && rank === ranks - 1) controllers[rank]?.abort();
        },
      };
      const signal = controllers[rank]?.signal as AbortSignal;
      const end = await new Trainer(task, optionsFor(ranks), { runDir, communicator, signal, observer }).run();
      expect(end).toMatchObject({ update: stop, reason: 'aborted' });
      task.dispose();
    }),
  );
}
