/** Interrupting and continuing a run: bitwise equal to one that was never interrupted; nothing half-written is used. */
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import * as tf from '../../../src/engine/tf.js';
import { UserError } from '../../../src/errors.js';
import { readRunLog, type TrainingEnd, type UpdateRecord } from '../../../src/training/watching/run-log.js';
import { Trainer } from '../../../src/training/loop/trainer.js';
import type { TrainerEnvironment, TrainerOptions } from '../../../src/training/loop/trainer-options.js';
import { ENGINES, ToyTask, ValidatedToyTask, newRunDir, toyOptions, useEngine, type ToySample } from '../toy-tasks.js';

/** A pid that no process has: what a killed run leaves behind carries its pid. */
const DEAD_PID = 99_999_999;

let tensorsBefore = 0;
beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

interface Outcome {
  end: TrainingEnd;
  updates: UpdateRecord[];
  weights: Record<string, number[]>;
  task: ToyTask;
  messages: string[];
}

/** A run of a new task with noise and dropout, so that all kinds of randomness take part; aborted after `stopAfter`. */
async function run(
  environment: TrainerEnvironment,
  options: TrainerOptions = toyOptions(),
  stopAfter = Infinity,
  task: ToyTask = new ToyTask({ dropout: 0.2, noise: 0.1 }),
): Promise<Outcome> {
  const controller = new AbortController();
  const updates: UpdateRecord[] = [];
  const messages: string[] = [];
  const observer = {
    onUpdate: (record: UpdateRecord): void => {
      updates.push(record);
      if (record.update === stopAfter) controller.abort();
    },
    onMessage: (message: string): void => void messages.push(message),
  };
  try {
    const end = await new Trainer(task, options, { ...environment, observer, signal: controller.signal }).run();
    return { end, updates, weights: task.weights(), task, messages };
  } finally {
    task.dispose();
  }
}

function figures(updates: readonly UpdateRecord[]): unknown[] {
  return updates.map(({ update, epoch, learningRate, losses, gradNorm }) => [
    update,
    epoch,
    learningRate,
    losses,
    gradNorm,
  ]);
}

describe.each(ENGINES)('resuming (%s)', (engine) => {
  beforeAll(useEngine(engine));

  test.each([1, 5, 11])(
    'after SIGINT at update %i the losses and weights are bitwise those of one run',
    async (stop) => {
      const whole = await run({ runDir: newRunDir() });
      const runDir = newRunDir();
      const first = await run({ runDir }, toyOptions(), stop);
      expect(first.end).toMatchObject({ reason: 'aborted', update: stop });
      expect(first.task.released).toBe(first.task.prepared);
      const second = await run({ runDir, resume: true });
      expect(second.end).toMatchObject({ reason: 'updates', update: 12 });
      expect(figures([...first.updates, ...second.updates])).toEqual(figures(whole.updates));
      expect(second.weights).toEqual(whole.weights);
      expect(readRunLog(join(runDir, 'log.jsonl')).records.map(({ type }) => type)).toEqual([
        'header',
        ...Array<string>(stop).fill('update'),
        'end',
        'resume',
        ...Array<string>(12 - stop).fill('update'),
        'end',
      ]);
    },
  );

  test('a signal in the middle of an update gives that update up, and it is made again', async () => {
    const whole = await run({ runDir: newRunDir() });
    const runDir = newRunDir();
    const controller = new AbortController();
    class StopsInside extends ToyTask {
      override forwardBackward(
        ...given: Parameters<ToyTask['forwardBackward']>
      ): ReturnType<ToyTask['forwardBackward']> {
        // Micro-batches 0 and 1 are update 1, … 6 is the first half of update 4.
        if (this.seen.length === 6) controller.abort();
        return super.forwardBackward(...given);
      }
    }
    const task = new StopsInside({ dropout: 0.2, noise: 0.1 });
    const end = await new Trainer(task, toyOptions(), { runDir, signal: controller.signal }).run();
    expect(end).toMatchObject({ reason: 'aborted', update: 3 });
    expect(task.released).toBe(task.prepared);
    task.dispose();
    const second = await run({ runDir, resume: true });
    expect(figures(second.updates)).toEqual(figures(whole.updates.slice(3)));
    expect(second.weights).toEqual(whole.weights);
  });

  test('a signal that comes from outside gets its turn, also when nothing ever waits for a file', async () => {
    class NeverWaits extends ToyTask {
      override async prepare(index: number): Promise<ToySample> {
        return { name: `toy-${index}`, x: [1, 2, 3, 4], y: index };
      }
    }
    const task = new NeverWaits();
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    const schedule = { ...toyOptions().schedule, totalUpdates: 5000 };
    const environment = { runDir: newRunDir(), signal: controller.signal };
    const end = await new Trainer(task, toyOptions({ schedule }), environment).run();
    expect(end.reason).toBe('aborted');
    task.dispose();
  });

  test('after kill -9 it continues from the last complete checkpoint, leftovers or not', async () => {
    const options = toyOptions({ checkpointEvery: 4 });
    const whole = await run({ runDir: newRunDir() }, options);
    const runDir = newRunDir();
    await run({ runDir }, options, 4);
    // As if killed two updates later, in the middle of a log line and of writing the next checkpoint.
    const line = JSON.stringify(whole.updates[4]);
    writeFileSync(join(runDir, 'log.jsonl'), `${line}\n${line.slice(0, 30)}`, { flag: 'a' });
    const half = join(runDir, `.last.tmp-${DEAD_PID}-00000000`);
    mkdirSync(half);
    writeFileSync(join(half, 'state.json'), '{"format": 1, "upd');
    const second = await run({ runDir, resume: true }, options);
    expect(figures(second.updates)).toEqual(figures(whole.updates.slice(4)));
    expect(second.weights).toEqual(whole.weights);
    expect(readdirSync(runDir).sort()).toEqual(['last', 'log.jsonl']);
    expect(readRunLog(join(runDir, 'log.jsonl')).updates.map(({ update }) => update)).toEqual(
      Array.from({ length: 12 }, (_, i) => i + 1),
    );
  });

  test('killed between the two renames of a checkpoint, it finds the complete new one', async () => {
    const whole = await run({ runDir: newRunDir() });
    const runDir = newRunDir();
    await run({ runDir }, toyOptions(), 6);
    const older = newRunDir();
    await run({ runDir: older }, toyOptions(), 3);
    renameSync(join(runDir, 'last'), join(runDir, `.last.new-${DEAD_PID}-00000000`));
    cpSync(join(older, 'last'), join(runDir, `.last.old-${DEAD_PID}-00000000`), { recursive: true });
    await expect(run({ runDir })).rejects.toThrow('holds a run already');
    const second = await run({ runDir, resume: true });
    expect(figures(second.updates)).toEqual(figures(whole.updates.slice(6)));
    expect(readdirSync(runDir).sort()).toEqual(['last', 'log.jsonl']);
  });

  test('a validation cut short by the signal is made up for, and the best is remembered', async () => {
    const options = toyOptions({ validateEvery: 4, bestMetric: { name: 'accuracy', mode: 'max' } });
    const runDir = newRunDir();
    const first = await run({ runDir }, options, 8, new ValidatedToyTask([0.9, 0.2]));
    expect(first.end).toMatchObject({ reason: 'aborted', update: 8, best: { value: 0.9, update: 4 } });
    const task = new ValidatedToyTask([0.7, 0.8]);
    const second = await run({ runDir, resume: true }, options, Infinity, task);
    expect(second.end.best).toEqual({ metric: 'accuracy', value: 0.9, update: 4 });
    expect(
      readRunLog(join(runDir, 'log.jsonl')).validations.map(({ update, metrics }) => [update, metrics.accuracy]),
    ).toEqual([
      [4, 0.9],
      [8, 0.7],
      [12, 0.8],
    ]);
  });

  test('a finished run resumed ends at once and changes nothing', async () => {
    const runDir = newRunDir();
    const whole = await run({ runDir });
    const again = await run({ runDir, resume: true });
    expect(again.updates).toEqual([]);
    expect(again.weights).toEqual(whole.weights);
    expect(again.task.prepared).toBe(0);
  });

  test('minutes already used count after resuming', async () => {
    const schedule = { ...toyOptions().schedule, totalUpdates: 1000, maxMinutes: 1 };
    const runDir = newRunDir();
    const clock = (start: number): (() => number) => {
      let seconds = start;
      return () => (seconds += 0.5);
    };
    const first = await run({ runDir, now: clock(0) }, toyOptions({ schedule }), 5);
    const second = await run({ runDir, now: clock(1e6), resume: true }, toyOptions({ schedule }));
    expect(second.end.reason).toBe('time');
    expect(second.updates[0]?.elapsedSeconds).toBeGreaterThan(first.end.elapsedSeconds - 2);
    expect(second.end.elapsedSeconds).toBeGreaterThanOrEqual(60);
    expect(second.end.elapsedSeconds).toBeLessThan(66);
  });

  describe('--resume with another length: it is that of the whole run', () => {
    const minutes = (maxMinutes?: number): TrainerOptions => {
      const schedule = { ...toyOptions().schedule, totalUpdates: 1000 };
      return toyOptions({ schedule: maxMinutes === undefined ? schedule : { ...schedule, maxMinutes } });
    };
    /** Half a second passes between two looks at it. */
    const ticking = (): (() => number) => {
      let seconds = 0;
      return () => (seconds += 0.5);
    };

    test('minutes that are over already are refused, with the sum to name', async () => {
      const runDir = newRunDir();
      await run({ runDir, now: ticking() }, minutes(1));
      for (const resume of [true, 'auto'] as const) {
        const again = run({ runDir, now: ticking(), resume }, minutes(0.5));
        await expect(again).rejects.toThrow(
          /^--minutes .* 0\.5 is the time of the whole run.* 1 minutes already: name the sum, --minutes 1\.[56] for 0\.5 more$/,
        );
      }
    });

    test('more minutes are honoured and said', async () => {
      const runDir = newRunDir();
      const first = await run({ runDir, now: ticking() }, minutes(1));
      const again = await run({ runDir, now: ticking(), resume: true }, minutes(1.5));
      expect(again.messages).toContainEqual(
        'The run goes on to 1.5 minutes in all (before: 1 minutes in all); 1 minutes of them are used.',
      );
      expect(again.end.reason).toBe('time');
      expect(again.end.update).toBeGreaterThan(first.end.update);
      expect(again.end.elapsedSeconds).toBeLessThan(94);
    });

    test('the same minutes again: the run is complete, and says so', async () => {
      const runDir = newRunDir();
      const first = await run({ runDir, now: ticking() }, minutes(1));
      const again = await run({ runDir, now: ticking(), resume: 'auto' }, minutes(1));
      expect(again.updates).toEqual([]);
      expect(again.messages).toEqual([
        `The run is complete: its 1 minutes are over, after ${first.end.update} updates; a higher --minutes goes on.`,
      ]);
    });

    test('updates that are made already are refused likewise', async () => {
      const runDir = newRunDir();
      await run({ runDir });
      const shorter = toyOptions({ schedule: { ...toyOptions().schedule, totalUpdates: 5 } });
      await expect(run({ runDir, resume: true }, shorter)).rejects.toThrow(
        /totalUpdates 5 .* 12 updates .* 17 for 5 more/,
      );
    });
  });

  test('a longer schedule may be given; the change is said', async () => {
    const runDir = newRunDir();
    await run({ runDir });
    const longer = await run(
      { runDir, resume: true },
      toyOptions({ schedule: { ...toyOptions().schedule, totalUpdates: 14 } }),
    );
    expect(longer.end.update).toBe(14);
    expect(longer.messages.join('\n')).toMatch(/schedule .*"totalUpdates":12.*"totalUpdates":14/);
  });

  test('starting over a run, resuming nothing, and resuming with other data are refused', async () => {
    const runDir = newRunDir();
    await expect(run({ runDir, resume: true })).rejects.toThrow(/no checkpoint at .*last/);
    await run({ runDir }, toyOptions(), 3);
    await expect(run({ runDir })).rejects.toThrow(UserError);
    await expect(run({ runDir })).rejects.toThrow('--resume');
    await expect(run({ runDir, resume: true }, toyOptions({ seed: 9 }))).rejects.toThrow(/seed 3.*seed 9/);
    const bigger = new ToyTask({ sampleCount: 13 });
    await expect(run({ runDir, resume: true }, toyOptions(), Infinity, bigger)).rejects.toThrow(/12 samples.*13/);
  });

  test('a run killed before its first checkpoint is simply started again', async () => {
    const runDir = newRunDir();
    await run({ runDir });
    rmSync(join(runDir, 'last'), { recursive: true });
    const again = await run({ runDir });
    expect(again.end.update).toBe(12);
    expect(readRunLog(join(runDir, 'log.jsonl')).updates).toHaveLength(12);
    expect(existsSync(join(runDir, 'last', 'optimizer.safetensors'))).toBe(true);
  });
});
