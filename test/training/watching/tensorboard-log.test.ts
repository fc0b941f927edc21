/** TensorBoard sees what the run's log says, over interruptions too; a full disk costs the curves, not the run. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { UserError } from '../../../src/errors.js';
import { EventFile } from '../../../src/io/tensorboard/event-file.js';
import { type UpdateRecord, readRunLog } from '../../../src/training/watching/run-log.js';
import { TensorBoardLog } from '../../../src/training/watching/tensorboard-log.js';
import { Trainer } from '../../../src/training/loop/trainer.js';
import { type TrainingObserver, observers } from '../../../src/training/watching/training-observer.js';
import { type ReadEvent, readEvents } from '../../helpers/event-reader.js';
import { TENSORBOARD_PYTHON, readWithTensorBoard } from '../../helpers/tensorboard.js';
import { ValidatedToyTask, newRunDir, toyOptions, useEngine } from '../toy-tasks.js';

beforeAll(useEngine('wasm'));
afterEach(() => {
  jest.restoreAllMocks();
});

const scratch = mkdtempSync(join(tmpdir(), 'gsva-tensorboard-'));
const newFolder = (): string => mkdtempSync(join(scratch, 'events-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});
const OPTIONS = toyOptions({ validateEvery: 4, checkpointEvery: 2 });

/** Trains into `runDir` with events in `dir`; the process "dies" after update `dieAt`. */
async function train(runDir: string, dir: string, resume: boolean, dieAt = Infinity): Promise<string[]> {
  const troubles: string[] = [];
  const events = new TensorBoardLog(dir, { stage: 'toy' }, (message) => troubles.push(message));
  const dying: TrainingObserver = {
    onUpdate: ({ update }) => {
      if (update === dieAt) throw new Error('killed');
    },
  };
  const task = new ValidatedToyTask([0.1, 0.4, 0.2, 0.3]);
  try {
    await new Trainer(task, OPTIONS, { runDir, resume, observer: observers(events, dying) }).run();
  } catch (error) {
    if (dieAt === Infinity) throw error;
  } finally {
    events.close();
    task.dispose();
  }
  return troubles;
}

const eventsOf = (dir: string): ReadEvent[] =>
  readdirSync(dir)
    .sort()
    .flatMap((name) => readEvents(readFileSync(join(dir, name))));

const float = Math.fround;

describe('TensorBoardLog', () => {
  test('has every figure of the log at its update, and what the run is', async () => {
    const [runDir, dir] = [newRunDir(), newFolder()];
    expect(await train(runDir, dir, false)).toEqual([]);
    const { updates, validations } = readRunLog(join(runDir, 'log.jsonl'));
    const events = eventsOf(dir);
    expect(events[2]?.texts['run']).toContain('"stage": "toy"');
    const scalars = events.filter((event) => 'loss/total' in event.scalars);
    expect(scalars.map(({ step }) => step)).toEqual(updates.map(({ update }) => update));
    for (const [i, { losses, learningRate, gradNorm, epoch, samplesPerSecond, numTensors }] of updates.entries()) {
      const others = Object.entries(losses).filter(([name]) => name !== 'loss');
      expect(scalars[i]?.scalars).toMatchObject({
        'loss/total': float(losses['loss'] as number),
        ...Object.fromEntries(others.map(([name, value]) => [`loss/${name}`, float(value)])),
        'optimizer/learning_rate': float(learningRate),
        'optimizer/gradient_norm': float(gradNorm),
        'progress/epoch': float(epoch),
        'speed/samples_per_second': float(samplesPerSecond),
        'memory/tensors': numTensors,
      });
      expect(scalars[i]?.scalars['memory/process_gib']).toBeGreaterThan(0.01);
      expect(scalars[i]?.scalars['memory/tensors_gib']).toBeGreaterThan(0);
    }
    const figures = events.filter((event) => 'speed/validation_seconds' in event.scalars);
    expect(figures.map(({ step }) => step)).toEqual(validations.map(({ update }) => update));
    for (const [i, { metrics }] of validations.entries()) {
      const expected = Object.entries(metrics).map(([name, value]) => [`validation/${name}`, float(value)]);
      expect(figures[i]?.scalars).toMatchObject(Object.fromEntries(expected) as object);
    }
  });

  test('has the parts where they were measured, and alarms as text', async () => {
    const dir = newFolder();
    const log = new TensorBoardLog(dir, {}, () => undefined);
    const parts = { lm_head: { gradNorm: 0.5, updateRatio: 0.25 } };
    const numbers = { epoch: 1, learningRate: 1, gradNorm: 1, seconds: 1, elapsedSeconds: 1, samplesPerSecond: 1 };
    log.onStart({ update: 0 });
    log.onUpdate({ type: 'update', update: 1, losses: { loss: 1 }, numTensors: 1, ...numbers, parts });
    log.onUpdate({ type: 'update', update: 2, losses: { loss: 1 }, numTensors: 1, ...numbers });
    log.onAlarm({ type: 'alarm', update: 2, kind: 'flat loss', part: null, message: 'it is flat' });
    log.close();
    const events = eventsOf(dir);
    const figures = { 'gradient/lm_head': 0.5, 'update_ratio/lm_head': 0.25 };
    expect(events.filter(({ scalars }) => 'gradient/lm_head' in scalars)).toMatchObject([
      { step: 1, scalars: figures },
    ]);
    expect(events.at(-1)).toMatchObject({ step: 2, texts: { alarms: 'it is flat' } });
  });

  (TENSORBOARD_PYTHON === null ? test.skip : test)(
    'shows a run that died and went on as the log has it: one figure for each update',
    async () => {
      const [runDir, dir] = [newRunDir(), newFolder()];
      await train(runDir, dir, false, 7);
      await train(runDir, dir, true, 9);
      await train(runDir, dir, true);
      expect(readdirSync(dir)).toHaveLength(3);
      const { updates, validations } = readRunLog(join(runDir, 'log.jsonl'));
      const losses = updates.map(({ update, losses: { loss } }: UpdateRecord) => [update, float(loss as number)]);
      const view = readWithTensorBoard(dir);
      expect(view.scalars['loss/total']).toEqual(losses);
      expect(view.server['loss/total']).toEqual(losses);
      const [name] = Object.keys(validations[0]?.metrics ?? {});
      expect(view.server[`validation/${name ?? ''}`]).toEqual(
        validations.map(({ update, metrics }) => [update, float(metrics[name ?? ''] as number)]),
      );
    },
  );

  test('goes on without events when they cannot be written any more, and says so once', async () => {
    const [runDir, dir] = [newRunDir(), newFolder()];
    let left = 5;
    const append = EventFile.prototype.append;
    jest.spyOn(EventFile.prototype, 'append').mockImplementation(function (this: EventFile, ...args) {
      if (left-- <= 0) throw new Error('ENOSPC: no space left on device');
      append.apply(this, args);
    });
    const troubles = await train(runDir, dir, false);
    expect(troubles).toHaveLength(1);
    expect(troubles[0]).toMatch(/ENOSPC.*log\.jsonl/);
    expect(readRunLog(join(runDir, 'log.jsonl')).updates).toHaveLength(OPTIONS.schedule.totalUpdates);
    expect(eventsOf(dir)).toHaveLength(5);
  });

  test('refuses a folder that cannot be written before anything is trained', async () => {
    const file = join(newFolder(), 'file');
    writeFileSync(file, '');
    await expect(train(newRunDir(), file, false)).rejects.toThrow(UserError);
  });
});
