/** Which checkpoints a run keeps, from which one it is continued, and what happens when one cannot be written. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import * as tf from '../../../src/engine/tf.js';
import { UserError } from '../../../src/errors.js';
import { type PendingFile, textFile } from '../../../src/io/atomic/pending-file.js';
import type { Resume } from '../../../src/training/saving/resume.js';
import { readRunLog } from '../../../src/training/watching/run-log.js';
import { Trainer } from '../../../src/training/loop/trainer.js';
import type { TrainerOptions } from '../../../src/training/loop/trainer-options.js';
import { localRanks } from '../../helpers/local-ranks.js';
import { newRunDir, toyOptions, ToyTask, useEngine, ValidatedToyTask } from '../toy-tasks.js';

/** A larger eps than usual: what ranks add up in another order stays close. */
const OPTIMIZER = { beta1: 0.9, beta2: 0.95, eps: 1e-3, weightDecay: 0, clipNorm: 1 };

/** In each update, whatever the number of ranks. */
const MICRO_BATCHES = 6;

let tensorsBefore = 0;
beforeAll(useEngine('cpu'));
beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

interface Outcome {
  readonly weights: Record<string, number[]>;
  readonly messages: string[];
}

const options = (totalUpdates: number, changes: Partial<TrainerOptions> = {}): TrainerOptions => ({
  ...toyOptions({ checkpointEvery: 2, keepCheckpoints: 2, optimizer: OPTIMIZER, ...changes }),
  // The learning rate is the same whenever the run ends.
  schedule: { learningRate: 0.02, warmupUpdates: 2, totalUpdates, decay: 'linear', maxMinutes: 1e6 },
});

/** Runs to `until` updates of a longer schedule; rank 0's outcome. */
async function run(
  runDir: string,
  until: number,
  resume: Resume,
  changes: Partial<TrainerOptions> = {},
  ranks = 1,
): Promise<Outcome> {
  const messages: string[] = [];
  const outcomes = await Promise.all(
    localRanks(ranks).map(async (communicator, rank) => {
      const task = new ToyTask({ dropout: 0.2, noise: 0.1 });
      const controller = new AbortController();
      const observer = {
        onUpdate: ({ update }: { update: number }) => {
          if (update === until) controller.abort();
        },
        onMessage: (message: string) => {
          if (rank === 0) messages.push(message);
        },
      };
      try {
        const environment = { runDir, resume, observer, signal: controller.signal, communicator };
        const own = { ...options(20, changes), accumulation: MICRO_BATCHES / ranks };
        await new Trainer(task, own, environment).run();
        return task.weights();
      } finally {
        task.dispose();
      }
    }),
  );
  return { weights: outcomes[0] ?? {}, messages };
}

const updateOf = (dir: string): number =>
  (JSON.parse(readFileSync(join(dir, 'state.json'), 'utf8')) as { update: number }).update;

/** Visible names, and the updates of checkpoints. */
function contentOf(runDir: string): Record<string, number> {
  const names = readdirSync(runDir).filter((name) => name !== 'log.jsonl');
  return Object.fromEntries(names.map((name) => [name, updateOf(join(runDir, name))]));
}

function expectClose(found: Outcome, expected: Outcome): void {
  for (const [name, values] of Object.entries(expected.weights)) {
    values.forEach((value, index) => {
      expect(Math.abs((found.weights[name]?.[index] ?? NaN) - value)).toBeLessThan(1e-5);
    });
  }
}

describe('keepCheckpoints', () => {
  test('keeps so many of the most recent ones besides last', async () => {
    const runDir = newRunDir();
    await run(runDir, 9, false);
    expect(contentOf(runDir)).toEqual({ last: 9, 'update-000008': 8, 'update-000009': 9 });
    await run(runDir, 10, true, { keepCheckpoints: 3 });
    expect(contentOf(runDir)).toEqual({ last: 10, 'update-000008': 8, 'update-000009': 9, 'update-000010': 10 });
  });

  test('0 keeps none, and touches none that is there', async () => {
    const runDir = newRunDir();
    await run(runDir, 5, false, { keepCheckpoints: 0 });
    expect(contentOf(runDir)).toEqual({ last: 5 });
    cpSync(join(runDir, 'last'), join(runDir, 'update-000005'), { recursive: true });
    await run(runDir, 8, true, { keepCheckpoints: 0 });
    expect(contentOf(runDir)).toEqual({ last: 8, 'update-000005': 5 });
  });

  test('those of a course that was given up go when the new one has its own', async () => {
    const runDir = newRunDir();
    await run(runDir, 9, false);
    rmSync(join(runDir, 'last'), { recursive: true });
    cpSync(join(runDir, 'update-000008'), join(runDir, 'last'), { recursive: true });
    cpSync(join(runDir, 'update-000009'), join(runDir, 'update-000012'), { recursive: true });
    await run(runDir, 10, true);
    expect(contentOf(runDir)).toEqual({ last: 10, 'update-000009': 9, 'update-000010': 10 });
  });

  test('the best one is the one of its update', async () => {
    const runDir = newRunDir();
    const task = new ValidatedToyTask([0.5, 0.9, 0.1]);
    const changes = { validateEvery: 4, bestMetric: { name: 'accuracy', mode: 'max' }, keepCheckpoints: 1 } as const;
    await new Trainer(task, { ...options(12), ...changes }, { runDir }).run();
    task.dispose();
    expect(contentOf(runDir)).toEqual({ best: 8, last: 12, 'update-000012': 12 });
  });
});

describe('resume auto', () => {
  test('starts anew where there is nothing, and goes on where there is something', async () => {
    const whole = await run(newRunDir(), 9, false);
    const runDir = newRunDir();
    const first = await run(runDir, 5, 'auto');
    expect(first.messages).toEqual([
      expect.stringMatching(/no checkpoint in .* yet: the training starts from the beg/),
    ]);
    const second = await run(runDir, 9, 'auto');
    expect(second.messages).toEqual([expect.stringMatching(/^Continuing from .*last after update 5/)]);
    expect(second.weights).toEqual(whole.weights);
    expect(readRunLog(join(runDir, 'log.jsonl')).updates.map(({ update }) => update)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9,
    ]);
  });

  test.each<[string, (dir: string) => void, RegExp]>([
    ['a state that is cut', (dir) => truncateSync(join(dir, 'state.json'), 100), /state\.json: .*JSON/],
    ['no state', (dir) => rmSync(join(dir, 'state.json')), /state\.json: .*ENOENT/],
    ['moments that are cut', (dir) => truncateSync(join(dir, 'optimizer.safetensors'), 700), /optimizer\.safetensors/],
    ['weights that are cut', (dir) => truncateSync(join(dir, 'weights.safetensors'), 200), /weights\.safetensors/],
  ])('falls back where the newest has %s, and says so', async (_, damage, message) => {
    const whole = await run(newRunDir(), 12, false);
    const runDir = newRunDir();
    await run(runDir, 9, false);
    for (const name of ['last', 'update-000009']) {
      const dir = join(runDir, name);
      cpSync(dir, `${dir}.copy`, { recursive: true });
      rmSync(dir, { recursive: true });
      cpSync(`${dir}.copy`, dir, { recursive: true });
      rmSync(`${dir}.copy`, { recursive: true });
      damage(dir);
    }
    const resumed = await run(runDir, 12, 'auto');
    expect(resumed.messages).toEqual([
      expect.stringMatching(message),
      expect.stringMatching(/update-000009 is not used: .*older/),
      expect.stringMatching(/^Continuing from .*update-000008 after update 8/),
    ]);
    expect(resumed.weights).toEqual(whole.weights);
    expect(contentOf(runDir)).toEqual({ last: 12, 'update-000010': 10, 'update-000012': 12 });
  });

  test('never starts anew over checkpoints of which none can be used', async () => {
    const runDir = newRunDir();
    mkdirSync(join(runDir, 'last'), { recursive: true });
    writeFileSync(join(runDir, 'last', 'notes'), 'mine');
    const running = run(runDir, 3, 'auto');
    await expect(running).rejects.toThrow(UserError);
    await expect(running).rejects.toThrow(/of 1 checkpoints none can be used.*state\.json/);
    await run(newRunDir(), 3, false);
    expect(existsSync(join(runDir, 'last', 'notes'))).toBe(true);
  });

  test.each([
    [1, 3],
    [3, 2],
    [2, 1],
  ])('on %i ranks, then on %i, the newest one damaged on one rank', async (before, after) => {
    const whole = await run(newRunDir(), 9, 'auto');
    const runDir = newRunDir();
    await run(runDir, 5, 'auto', {}, before);
    const damaged = before === 1 ? 'optimizer.safetensors' : `optimizer-0000${before}-of-0000${before}.safetensors`;
    rmSync(join(runDir, 'last', damaged));
    rmSync(join(runDir, 'update-000005', damaged));
    const resumed = await run(runDir, 9, 'auto', {}, after);
    expect(resumed.messages.join('\n')).toMatch(/last is not used[^]*update-000005 is not used[^]*update-000004 after/);
    expectClose(resumed, whole);
  });
});

describe('a checkpoint that cannot be written', () => {
  test('ends the run with the name of the file; the one before stays', async () => {
    class Fails extends ToyTask {
      private saved = 0;
      override async checkpointFiles(): Promise<PendingFile[]> {
        const files = await super.checkpointFiles();
        return ++this.saved < 3 ? files : [...files, textFile('no folder/x', '')];
      }
    }
    const runDir = newRunDir();
    const task = new Fails();
    const running = new Trainer(task, options(20), { runDir }).run();
    await expect(running).rejects.toThrow(UserError);
    await expect(running).rejects.toThrow(/Could not write .*no folder\/x: ENOENT/);
    expect(contentOf(runDir)).toEqual({ last: 4, 'update-000002': 2, 'update-000004': 4 });
    const { records } = readRunLog(join(runDir, 'log.jsonl'));
    expect(records.at(-1)).toMatchObject({ type: 'error' });
    task.dispose();
  });

  test('an error of the training itself waits for the one under way', async () => {
    class Breaks extends ToyTask {
      override forwardBackward(
        ...given: Parameters<ToyTask['forwardBackward']>
      ): ReturnType<ToyTask['forwardBackward']> {
        // The first micro-batch after the second checkpoint: of 2 in each update.
        if (this.seen.length === 8) throw new UserError('broken');
        return super.forwardBackward(...given);
      }
    }
    const runDir = newRunDir();
    const task = new Breaks();
    await expect(new Trainer(task, options(20), { runDir }).run()).rejects.toThrow('broken');
    expect(contentOf(runDir)).toEqual({ last: 4, 'update-000002': 2, 'update-000004': 4 });
    task.dispose();
  });
});
