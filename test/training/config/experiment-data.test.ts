/** Training on data sets that a configuration names: mixtures and whole epochs, from files to updates, resumed. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { buildExperiment, groundingTask } from '../../../src/training/config/build-experiment.js';
import { type ExperimentConfig, readExperimentConfig } from '../../../src/training/config/experiment-config.js';
import {
  type GsvaDataConfig,
  openTrainingData,
  openValidationData,
} from '../../../src/training/config/experiment-data.js';
import { readRunLog, type UpdateRecord } from '../../../src/training/watching/run-log.js';
import { trainerOptions } from '../../../src/training/loop/run-length.js';
import { Trainer } from '../../../src/training/loop/trainer.js';
import { smallConfig, writeConfig } from '../../helpers/small-experiment.js';

const DATA = resolve('test', 'fixtures', 'datasets', 'data');
const scratch = mkdtempSync(join(tmpdir(), 'gsva-data-'));

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const SETS = ['ade20k', 'refcoco+', 'grefcoco', 'llava_instruct_150k', 'reason_seg'];
const MIXTURE = { kind: 'mixture', dir: DATA, sets: SETS, expressionsPerSample: 2 };
const REPEATED = {
  kind: 'repeated',
  dir: DATA,
  sets: SETS,
  expressionsPerSample: 3,
  rates: { sem_seg: 6, refer_seg: 20, reason_seg: 6 },
  drawn: ['reason_seg', 'llava_instruct_150k'],
  lastOfBatch: 'segmentation',
};
const UNVALIDATED: [string, unknown][] = [
  ['training.validateEvery', 0],
  ['training.bestMetric', null],
];

function configOf(data: Record<string, unknown>, overrides: [string, unknown][] = []): ExperimentConfig {
  return readExperimentConfig(writeConfig(join(scratch, 'run.json5'), smallConfig(DATA, { data })), overrides);
}

describe('the configuration', () => {
  test('of a mixture: weights as published where none is given, nothing absent asked for, threads as many as useful', () => {
    expect(configOf({ ...MIXTURE, weights: { vqa: 0.5 } }).data).toEqual({
      ...MIXTURE,
      weights: { sem_seg: 9, refer_seg: 6, vqa: 0.5, reason_seg: 1 },
      absentClasses: 0,
      workers: null,
      maxBadShare: 0.01,
      validation: null,
    });
  });

  test('of whole epochs, with all that can be said', () => {
    const said = { workers: 2, maxBadShare: 0.2, absentClasses: 3 };
    const data = { ...MIXTURE, ...said, kind: 'epochs', validation: { set: 'refzom', split: 'test', images: 7 } };
    expect(configOf(data).data).toMatchObject(data);
  });

  test.each([
    ['weights of whole epochs', { kind: 'epochs', weights: {} }, /weights/],
    ['no sets', { sets: [] }, /"data\.sets" is .* expected a list of at least one name/],
    ['a set twice', { sets: ['ade20k', 'ade20k'] }, /"data\.sets\[1\]" is "ade20k", expected a name that is not in/],
    ['a weight of a kind that is not', { weights: { segmentation: 1 } }, /segmentation/],
    ['a weight below 0', { weights: { vqa: -1 } }, /"data\.weights\.vqa" is -1/],
    ['a share beyond 1', { maxBadShare: 1.5 }, /"data\.maxBadShare" is 1\.5/],
  ])('refuses %s', (_, changes, message) => {
    expect(() => configOf({ ...MIXTURE, ...changes })).toThrow(message);
  });

  test('of repeated sets: once each, whole and without replacement where nothing is said', () => {
    const { expressionsPerSample } = REPEATED;
    expect(configOf({ kind: 'repeated', dir: DATA, sets: ['ade20k'], expressionsPerSample }).data).toMatchObject({
      rates: { sem_seg: 1, refer_seg: 1, reason_seg: 1, vqa: 1 },
      most: {},
      thinSeed: 0,
      drawn: [],
      lastOfBatch: null,
    });
  });

  test.each([
    ['a rate that is no whole number', { rates: { sem_seg: 1.5 } }, /"data\.rates\.sem_seg" is 1\.5/],
    ['a rate of 0', { rates: { vqa: 0 } }, /"data\.rates\.vqa" is 0/],
    [
      'thinning of a set that is not used',
      { most: { cocostuff: 3 } },
      /"data\.most\.cocostuff" is 3, expected names of/,
    ],
    [
      'draws from a set that is not used',
      { drawn: ['gqa'] },
      /"data\.drawn\[0\]" is "gqa", expected a name of data\.sets/,
    ],
    ['another last item', { lastOfBatch: 'vqa' }, /"data\.lastOfBatch" is "vqa", expected one of "segmentation"/],
  ])('refuses %s', (_, changes, message) => {
    expect(() => configOf({ ...REPEATED, ...changes })).toThrow(message);
  });

  test('opens repeated sets, thinned', async () => {
    const data = configOf({ ...REPEATED, most: { ade20k: 2, reason_seg: 100 } }).data as GsvaDataConfig;
    const { sets, weights, repetition } = await openTrainingData(data, 4);
    expect(sets.map(({ length }) => length)).toEqual([2, 2, 2, 3, 3]);
    expect([weights, repetition?.replaceLastOf, repetition?.rates.refer_seg]).toEqual([null, 4, 20]);
    expect([...(repetition?.drawn ?? [])]).toEqual([sets[3], sets[4]]);
  });

  test('opens what to train and to validate on', async () => {
    const validation = { set: 'grefcoco', images: 2 };
    const data = configOf({ ...MIXTURE, workers: 1, validation }).data as GsvaDataConfig;
    const { sets, weights, workers, sample } = await openTrainingData(data, 2);
    expect(sets.map(({ kind }) => kind)).toEqual(['sem_seg', 'refer_seg', 'refer_seg', 'vqa', 'reason_seg']);
    expect([weights?.sem_seg, workers, sample]).toEqual([9, 1, { perSample: 2, absentClasses: 0 }]);
    expect((await openValidationData(data))?.dataset.images.length).toBeGreaterThan(0);
    const epochs = configOf({ ...MIXTURE, kind: 'epochs', sets: ['refclef'] }).data as GsvaDataConfig;
    expect((await openTrainingData(epochs, 2)).weights).toBeNull();
    expect(await openValidationData(epochs)).toBeNull();
    const unknown = configOf({ ...MIXTURE, sets: ['adee20k'] }).data as GsvaDataConfig;
    await expect(openTrainingData(unknown, 2)).rejects.toThrow(/"adee20k".*ade20k/);
  });
});

/** Losses of each update, and what was said. */
async function train(
  name: string,
  data: Record<string, unknown>,
  updates: number,
  { resume = false, stopAfter = Infinity } = {},
): Promise<{ losses: unknown[]; said: string[] }> {
  const overrides: [string, unknown][] = [...UNVALIDATED, ['training.schedule.totalUpdates', updates]];
  const experiment = await buildExperiment(configOf(data, overrides), 'test');
  const said: string[] = [];
  try {
    const { config } = experiment;
    const task = groundingTask(
      experiment,
      await openTrainingData(config.data as GsvaDataConfig, config.training.batchSize),
      null,
    );
    const controller = new AbortController();
    const observer = {
      onMessage: (message: string): void => void said.push(message),
      onUpdate: ({ update }: UpdateRecord): void => {
        if (update === stopAfter) controller.abort();
      },
    };
    const { signal } = controller;
    const before = tf.memory().numTensors;
    const options = trainerOptions(config.training, task.sampleCount, 1);
    await new Trainer(task, options, { runDir: join(scratch, name), resume, observer, signal }).run();
    expect(tf.memory().numTensors).toBeLessThanOrEqual(before);
  } finally {
    experiment.network.dispose();
  }
  const { updates: records } = readRunLog(join(scratch, name, 'log.jsonl'));
  return { losses: records.map(({ losses }) => losses), said };
}

describe('training', () => {
  const THREADED = { ...MIXTURE, workers: 1 };

  test('on a mixture of every kind has finite losses, the same on threads as without', async () => {
    const threads = await train('threads', THREADED, 6);
    const none = await train('none', { ...MIXTURE, workers: 0 }, 6);
    expect(threads.losses).toHaveLength(6);
    for (const losses of threads.losses as Record<string, number>[]) {
      expect(Object.values(losses).every(Number.isFinite)).toBe(true);
    }
    expect(none.losses).toEqual(threads.losses);
    expect(threads.said).toEqual([]);
  });

  test('resumed goes on with the losses of the run that was not interrupted', async () => {
    const whole = await train('whole', THREADED, 6);
    const position = (): number => {
      const file = join(scratch, 'parts', 'last', 'state.json');
      return (JSON.parse(readFileSync(file, 'utf8')) as { position: number }).position;
    };
    const first = await train('parts', THREADED, 6, { stopAfter: 4 });
    expect([first.losses.length, position()]).toEqual([4, 8]);
    const second = await train('parts', THREADED, 6, { resume: true });
    expect([second.losses, position()]).toEqual([whole.losses, 12]);
  });

  test('on repeated sets: the same on threads, and resumed', async () => {
    const whole = await train('repeated', { ...REPEATED, workers: 0 }, 5);
    await train('repeated-parts', { ...REPEATED, workers: 1 }, 5, { stopAfter: 2 });
    const resumed = await train('repeated-parts', { ...REPEATED, workers: 1 }, 5, { resume: true });
    expect(whole.losses).toHaveLength(5);
    expect(resumed.losses).toEqual(whole.losses);
  });

  test('on whole epochs of referring sets', async () => {
    const sets = ['refcoco', 'grefcoco', 'refzom'];
    const { losses, said } = await train(
      'epochs',
      { kind: 'epochs', dir: DATA, sets, expressionsPerSample: 3, workers: 1 },
      4,
    );
    expect(losses).toHaveLength(4);
    expect(said).toEqual([]);
  });
});
