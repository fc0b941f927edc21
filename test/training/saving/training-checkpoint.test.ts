/** Checkpoints that do not fit or were tampered with are refused by name, before anything is changed. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import * as tf from '../../../src/engine/tf.js';
import { UserError } from '../../../src/errors.js';
import { writeSafetensors, type TensorToStore } from '../../../src/io/safetensors/safetensors-writer.js';
import { readSafetensors } from '../../../src/io/safetensors/safetensors.js';
import { AdamW } from '../../../src/training/optimizer/optimizer.js';
import { Trainer } from '../../../src/training/loop/trainer.js';
import { loadCheckpoint } from '../../../src/training/saving/training-checkpoint.js';
import { ToyTask, newRunDir, toyOptions, useEngine } from '../toy-tasks.js';

let good = '';
let task: ToyTask;
let optimizer: AdamW;

beforeAll(async () => {
  await useEngine('cpu')();
  const trained = new ToyTask();
  const runDir = newRunDir();
  await new Trainer(trained, toyOptions(), { runDir }).run();
  trained.dispose();
  good = join(runDir, 'last');
  task = new ToyTask();
  optimizer = new AdamW(task.variables, toyOptions().optimizer);
});
afterAll(() => {
  optimizer.dispose();
  task.dispose();
  expect(tf.memory().numTensors).toBe(0);
});

type Json = Record<string, unknown>;

/** A copy of the good checkpoint with some keys of state.json replaced (undefined: removed). */
function withState(changes: Json): string {
  const dir = newRunDir();
  cpSync(good, dir, { recursive: true });
  const state = JSON.parse(readFileSync(join(dir, 'state.json'), 'utf8')) as Json;
  writeFileSync(join(dir, 'state.json'), JSON.stringify({ ...state, ...changes }));
  return dir;
}

/** A copy of the good checkpoint with other moments. */
function withMoments(change: (tensors: Map<string, TensorToStore>) => void): string {
  const dir = newRunDir();
  cpSync(good, dir, { recursive: true });
  const path = join(dir, 'optimizer.safetensors');
  const tensors = new Map(
    [...readSafetensors(path).tensors].map(([name, { shape, data }]) => [name, { shape, data: data as Float32Array }]),
  ) as Map<string, TensorToStore>;
  change(tensors);
  writeSafetensors(path, tensors);
  return dir;
}

async function expectRefused(dir: string, ...words: string[]): Promise<void> {
  const before = [task.weights(), [...optimizer.parameters.values()].map(({ step }) => step)];
  const loading = loadCheckpoint(dir, optimizer, task);
  await expect(loading).rejects.toThrow(UserError);
  for (const word of words) await expect(loading).rejects.toThrow(word);
  expect([task.weights(), [...optimizer.parameters.values()].map(({ step }) => step)]).toEqual(before);
}

describe('loadCheckpoint', () => {
  test.each<[string, Json]>([
    ['format', { format: 3 }],
    ['ranks', { ranks: 0 }],
    ['ranks', { ranks: 1e6 }],
    ['update', { update: -1 }],
    ['position', { position: 1.5 }],
    ['elapsedSeconds', { elapsedSeconds: 'long' }],
    ['random', { random: [1, 2, 3] }],
    ['random', { random: [0, 0, 0, 0] }],
    ['sampleCount', { sampleCount: 0 }],
    ['best.value', { best: { metric: 'gIoU' } }],
    ['steps.w1', { steps: { w1: -1 } }],
    ['seed', { seed: undefined }],
    ['surprise', { surprise: 1 }],
  ])('refuses a state with a wrong %s', async (key, changes) => {
    await expectRefused(withState(changes), 'state.json', `"${key}"`);
  });

  test('takes what earlier versions wrote: format 1, always by one process', async () => {
    const state = await loadCheckpoint(withState({ format: 1, ranks: undefined }), optimizer, task);
    expect(state.update).toBe(12);
    expect(Object.keys(state)).not.toContain('format');
  });

  test('refuses steps of other variables than those that train', async () => {
    await expectRefused(withState({ steps: { w1: 12, b1: 12, w2: 12, b2: 12 } }), '"idle"');
    await expectRefused(withState({ steps: { w1: 12, b1: 12, w2: 12, b2: 12, idle: 0, ghost: 1 } }), '"ghost"');
  });

  test('refuses missing, left-over and misshapen moments', async () => {
    await expectRefused(
      withMoments((tensors) => tensors.delete('v.w2')),
      'optimizer.safetensors',
      '"v.w2"',
    );
    await expectRefused(
      withMoments((tensors) => tensors.set('m.idle', { shape: [3], data: new Float32Array(3) })),
      '"m.idle"',
    );
    await expectRefused(
      withMoments((tensors) => tensors.set('m.w1', { shape: [8, 4], data: new Float32Array(32) })),
      'shape [8, 4], expected [4, 8]',
    );
    await expectRefused(
      withMoments((tensors) => tensors.set('m.b1', { shape: [8], data: new Int32Array(8) })),
      'no float32 tensor "m.b1"',
    );
  });

  test('refuses missing files', async () => {
    for (const file of ['state.json', 'optimizer.safetensors']) {
      const dir = withState({});
      rmSync(join(dir, file));
      await expectRefused(dir, file);
    }
  });

  test('whatever state.json holds, it is refused with a UserError or taken', async () => {
    const keys = fc.constantFrom('format', 'update', 'position', 'random', 'best', 'steps', 'schedule', 'seed', 'x');
    await fc.assert(
      fc.asyncProperty(fc.dictionary(keys, fc.jsonValue()), fc.boolean(), async (changes, whole) => {
        const dir = withState(changes);
        if (whole) writeFileSync(join(dir, 'state.json'), JSON.stringify(changes));
        try {
          await loadCheckpoint(dir, optimizer, task);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        } finally {
          rmSync(dir, { recursive: true });
        }
      }),
      { numRuns: 60, seed: 1 },
    );
  });
});
