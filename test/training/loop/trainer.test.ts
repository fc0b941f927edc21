/** The training loop on toy tasks: it learns, accumulates exactly, validates, stops as it should, leaks nothing. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import * as tf from '../../../src/engine/tf.js';
import { UserError } from '../../../src/errors.js';
import type { Random } from '../../../src/random.js';
import { readRunLog, type UpdateRecord, type ValidationRecord } from '../../../src/training/watching/run-log.js';
import { Trainer } from '../../../src/training/loop/trainer.js';
import type { TrainerOptions } from '../../../src/training/loop/trainer-options.js';
import type { TrainingProgress } from '../../../src/training/watching/training-observer.js';
import type { Gradients } from '../../../src/nn/loss-parts.js';
import { ENGINES, ToyTask, ValidatedToyTask, newRunDir, toyOptions, useEngine, type ToySample } from '../toy-tasks.js';

let tensorsBefore = 0;
beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

/** Runs a toy to its end and gives its updates. */
async function train(task: ToyTask, options: TrainerOptions, runDir = newRunDir()): Promise<UpdateRecord[]> {
  const updates: UpdateRecord[] = [];
  await new Trainer(task, options, { runDir, observer: { onUpdate: (record) => updates.push(record) } }).run();
  return updates;
}

describe.each(ENGINES)('Trainer (%s)', (engine) => {
  beforeAll(useEngine(engine));

  test('learns: the loss of a small MLP falls to a hundredth', async () => {
    const task = new ToyTask();
    const schedule = { learningRate: 0.05, warmupUpdates: 5, totalUpdates: 400, decay: 'cosine' } as const;
    const updates = await train(task, toyOptions({ batchSize: 6, accumulation: 2, schedule }));
    const mean = (part: readonly UpdateRecord[]): number =>
      part.reduce((sum, { losses }) => sum + (losses.loss as number), 0) / part.length;
    expect(updates).toHaveLength(400);
    expect(mean(updates.slice(-20))).toBeLessThan(0.01 * mean(updates.slice(0, 5)));
    task.dispose();
  });

  test("the published schedule's rates are those of the log, across an interruption too", async () => {
    const form = 'published' as const;
    const schedule = { form, learningRate: 1e-3, warmupUpdates: 4, totalUpdates: 10, decay: 'linear' as const };
    const runDir = newRunDir();
    for (const resume of [false, true]) {
      const task = new ToyTask();
      const controller = new AbortController();
      const observer = {
        onUpdate: ({ update }: UpdateRecord): void => {
          if (update === 3) controller.abort();
        },
      };
      await new Trainer(task, toyOptions({ schedule }), { runDir, observer, resume, signal: controller.signal }).run();
      task.dispose();
    }
    const rates = readRunLog(join(runDir, 'log.jsonl')).updates.map(({ learningRate }) => 1e3 * learningRate);
    const wanted = [1, 0, 0.25, 0.5, 0.75, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6];
    expect(rates).toHaveLength(wanted.length);
    wanted.forEach((rate, update) => {
      expect(rates[update]).toBeCloseTo(rate, 12);
    });
  });

  test('N micro-batches of b give the update of one batch of N·b', async () => {
    const results: { weights: Record<string, number[]>; updates: UpdateRecord[] }[] = [];
    for (const [batchSize, accumulation] of [
      [6, 1],
      [2, 3],
      [1, 6],
    ] as const) {
      const task = new ToyTask({ noise: 0.1 });
      const updates = await train(task, toyOptions({ batchSize, accumulation }));
      results.push({ weights: task.weights(), updates });
      task.dispose();
    }
    const [whole, ...parts] = results;
    for (const { weights, updates } of parts) {
      for (const [name, values] of Object.entries(weights)) {
        values.forEach((value, i) =>
          expect(Math.abs(value - (whole?.weights[name]?.[i] as number))).toBeLessThan(1e-5),
        );
      }
      updates.forEach((record, i) => {
        expect(record.losses.loss).toBeCloseTo(whole?.updates[i]?.losses.loss as number, 5);
        expect(record.gradNorm).toBeCloseTo(whole?.updates[i]?.gradNorm as number, 4);
        expect(record.epoch).toBe(whole?.updates[i]?.epoch);
      });
    }
  });

  test("accumulate: 'sum' adds the gradients of micro-batches, 'mean' divides them by their number", async () => {
    const norms: number[] = [];
    for (const accumulate of ['mean', 'sum', undefined] as const) {
      const task = new ToyTask({ noise: 0.1 });
      const options = toyOptions({ accumulation: 3, ...(accumulate === undefined ? {} : { accumulate }) });
      const [first] = await train(task, options);
      norms.push(first?.gradNorm as number);
      task.dispose();
    }
    const [mean = NaN, sum, byDefault] = norms;
    expect(sum).toBeCloseTo(3 * mean, 4);
    expect(byDefault).toBe(mean);
  });

  test('every epoch takes every sample once, also when batches straddle epochs', async () => {
    const task = new ToyTask({ sampleCount: 5 });
    await train(
      task,
      toyOptions({ batchSize: 2, accumulation: 2, schedule: { ...toyOptions().schedule, totalUpdates: 5 } }),
    );
    const seen = task.seen.flat();
    expect(seen).toHaveLength(20);
    for (let epoch = 0; epoch < 4; epoch++) {
      expect(seen.slice(5 * epoch, 5 * epoch + 5).sort()).toEqual(['toy-0', 'toy-1', 'toy-2', 'toy-3', 'toy-4']);
    }
    task.dispose();
  });

  test('the tensor count is the same after every update, and every prepared sample is released', async () => {
    const task = new ToyTask();
    const updates = await train(task, toyOptions());
    expect(new Set(updates.map(({ numTensors }) => numTensors)).size).toBe(1);
    // The task's five variables and two moments of each.
    expect(updates[0]?.numTensors).toBe(tensorsBefore + 15);
    expect(task.released).toBe(task.prepared);
    expect(task.prepared).toBe(48);
    task.dispose();
  });

  test('the same seed gives the same run, another seed another one', async () => {
    const runs = [];
    for (const seed of [3, 3, 4]) {
      const task = new ToyTask({ dropout: 0.2, noise: 0.1 });
      runs.push((await train(task, toyOptions({ seed }))).map(({ losses }) => losses.loss));
      task.dispose();
    }
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).not.toEqual(runs[0]);
  });

  test('reports and logs what happened', async () => {
    const task = new ValidatedToyTask([0.5, 0.7, 0.6]);
    const runDir = newRunDir();
    const told: string[] = [];
    const progress: TrainingProgress[] = [];
    const options = toyOptions({ validateEvery: 4, checkpointEvery: 5, bestMetric: { name: 'accuracy', mode: 'max' } });
    const end = await new Trainer(task, options, {
      runDir,
      header: { engine: 'cpu', config: { name: 'toy' } },
      observer: {
        onUpdate: (_record, state) => progress.push(state),
        onValidation: ({ update, isBest }: ValidationRecord) => told.push(`validation ${update} ${isBest}`),
        onCheckpoint: ({ kind, update }) => told.push(`${kind} ${update}`),
        onEnd: ({ reason }) => told.push(`end ${reason}`),
      },
    }).run();
    // Checkpoints are told of when they are on the disk, which may be some updates later.
    const isCheckpoint = (line: string): boolean => /^(best|last) /.test(line);
    const checkpoints = ['best 4', 'last 4', 'last 5', 'best 8', 'last 8', 'last 10', 'last 12'];
    expect(told.filter(isCheckpoint)).toEqual(checkpoints);
    expect(told.filter((line) => !isCheckpoint(line))).toEqual([
      'validation 4 true',
      'validation 8 true',
      'validation 12 false',
      'end updates',
    ]);
    expect(told.at(-1)).toBe('end updates');
    expect(end).toMatchObject({ update: 12, reason: 'updates', best: { metric: 'accuracy', value: 0.7, update: 8 } });
    expect(progress.map(({ update }) => update)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(progress.at(5)).toMatchObject({ totalUpdates: 12, fraction: 0.5 });
    expect(progress.at(5)?.remainingSeconds).toBeCloseTo(progress.at(5)?.elapsedSeconds as number, 9);

    const history = readRunLog(join(runDir, 'log.jsonl'));
    expect(history.header).toMatchObject({ engine: 'cpu', config: { name: 'toy' } });
    expect(history.updates).toHaveLength(12);
    expect(Object.keys(history.updates[0]?.losses ?? {})).toEqual(['loss', 'half']);
    expect(history.updates[0]?.learningRate).toBe(0);
    expect(history.updates[1]?.learningRate).toBeCloseTo(0.01, 15);
    expect(history.validations.map(({ metrics }) => metrics.accuracy)).toEqual([0.5, 0.7, 0.6]);
    expect(history.records.at(-1)).toEqual(end);
    const best = JSON.parse(readFileSync(join(runDir, 'best', 'state.json'), 'utf8')) as { update: number };
    expect(best.update).toBe(8);
    task.dispose();
  });

  test('the best checkpoint can be the one with the smallest figure; a figure that is no number is never best', async () => {
    const task = new ValidatedToyTask([NaN, 0.7, 0.6, 0.9]);
    const options = toyOptions({ validateEvery: 3, bestMetric: { name: 'accuracy', mode: 'min' } });
    const end = await new Trainer(task, options, { runDir: newRunDir() }).run();
    expect(end.best).toEqual({ metric: 'accuracy', value: 0.6, update: 9 });
    task.dispose();
  });

  test('a run bound by time ends when its minutes are over, its learning rate at almost 0 by then', async () => {
    const task = new ToyTask();
    let seconds = 0;
    const updates: UpdateRecord[] = [];
    const schedule = { learningRate: 1, warmupUpdates: 2, totalUpdates: 1000, decay: 'linear', maxMinutes: 1 } as const;
    const end = await new Trainer(task, toyOptions({ schedule }), {
      runDir: newRunDir(),
      now: () => seconds,
      observer: {
        onUpdate: (record) => {
          updates.push(record);
          seconds += 1.5;
        },
      },
    }).run();
    expect(end).toMatchObject({ reason: 'time', update: 40, elapsedSeconds: 60 });
    expect(updates[20]?.learningRate).toBeCloseTo(0.5, 12);
    expect(updates.at(-1)?.learningRate).toBeCloseTo(0.025, 12);
    task.dispose();
  });

  test('a NaN loss stops before the weights are touched, naming the samples and leaving the last checkpoint', async () => {
    const task = new ToyTask({ brokenSample: 7 });
    const runDir = newRunDir();
    let before = task.weights();
    const options = toyOptions({ checkpointEvery: 1, batchSize: 1, accumulation: 2 });
    const run = new Trainer(task, options, { runDir, observer: { onUpdate: () => (before = task.weights()) } }).run();
    await expect(run).rejects.toThrow(UserError);
    await expect(run).rejects.toThrow(/update \d+: a loss is not a finite number \(loss = NaN, half = NaN\).* toy-7\./);
    expect(task.weights()).toEqual(before);
    const history = readRunLog(join(runDir, 'log.jsonl'));
    expect(history.updates.length).toBeGreaterThan(0);
    expect(history.records.at(-1)).toMatchObject({ type: 'error', update: history.updates.length });
    expect(existsSync(join(runDir, 'last', 'state.json'))).toBe(true);
    expect(task.released).toBe(task.prepared);
    task.dispose();
  });

  test('an infinite gradient of a finite loss stops just so', async () => {
    class Exploding extends ToyTask {
      override forwardBackward(batch: readonly ToySample[], random: Random): Gradients {
        const result = super.forwardBackward(batch, random);
        result.gradients.get('b2')?.dispose();
        return { ...result, gradients: new Map([...result.gradients, ['b2', tf.tensor1d([Infinity])]]) };
      }
    }
    const task = new Exploding();
    const before = task.weights();
    await expect(train(task, toyOptions())).rejects.toThrow(
      /norm of the gradients is Infinity, with the samples toy-.*The losses are finite; the first gradient on the way back that is not is that of b2 \(1 infinite of 1 numbers\)/,
    );
    expect(task.weights()).toEqual(before);
    task.dispose();
  });

  test("a sample that cannot be prepared stops the run with the task's own message", async () => {
    class Missing extends ToyTask {
      override async prepare(index: number, random: Random): Promise<ToySample> {
        if (index === 4) throw new UserError('Cannot read images/4.jpg: no such file.');
        return super.prepare(index, random);
      }
    }
    const task = new Missing();
    await expect(train(task, toyOptions())).rejects.toThrow('Cannot read images/4.jpg');
    expect(task.released).toBe(task.prepared);
    task.dispose();
  });

  test('gradients of unknown variables or of the wrong shape are refused, and freed', async () => {
    for (const [name, shape, message] of [
      ['ghost', [1], 'does not train'],
      ['b2', [2], 'shape [2], expected [1]'],
    ] as const) {
      class Wrong extends ToyTask {
        override forwardBackward(): Gradients {
          return {
            losses: { loss: 1 },
            gradients: new Map([
              ['b1', tf.zeros([8])],
              [name, tf.zeros([...shape])],
            ]),
          };
        }
      }
      const task = new Wrong();
      await expect(train(task, toyOptions())).rejects.toThrow(message);
      task.dispose();
    }
  });

  test.each<[string, Partial<TrainerOptions>]>([
    ['no validation set', { validateEvery: 5 }],
    ['bestMetric', { bestMetric: { name: 'gIoU', mode: 'max' } }],
  ])('refuses wrong options by name: %s', (word, changes) => {
    const task = new ToyTask();
    expect(() => new Trainer(task, toyOptions(changes), { runDir: newRunDir() })).toThrow(UserError);
    expect(() => new Trainer(task, toyOptions(changes), { runDir: newRunDir() })).toThrow(word);
    task.dispose();
  });

  test('a best metric that validation does not give is named', async () => {
    const task = new ValidatedToyTask([0.5]);
    const options = toyOptions({ validateEvery: 2, bestMetric: { name: 'gIoU', mode: 'max' } });
    await expect(train(task, options)).rejects.toThrow(/"gIoU".*accuracy/);
    task.dispose();
  });
});
