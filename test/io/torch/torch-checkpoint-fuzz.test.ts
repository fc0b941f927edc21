/** A few thousand damaged checkpoints: each is read or refused in bounded time and memory (see test/fuzz). */
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { UserError } from '../../../src/errors.js';
import { openTorchCheckpoint } from '../../../src/io/torch/torch-checkpoint.js';
import { Random } from '../../../src/random.js';
import { FIXTURES } from '../../helpers/fixtures.js';

interface Outcome {
  readonly inputs: number;
  readonly read: number;
  readonly refused: number;
  readonly tensors: number;
  readonly reasons: ReadonlyMap<string, number>;
}

type Fuzz = (reader: unknown, options: { inputs: number; seed: number; fixtures: string }) => Outcome;

test('3000 damaged checkpoints are read or refused with a UserError, none takes much time or memory', async () => {
  const script = resolve(join('test', 'fuzz', 'torch-checkpoint.mjs'));
  const { fuzz } = (await import(script)) as { fuzz: Fuzz };
  const reader = { openTorchCheckpoint, UserError, Random };
  const outcome = fuzz(reader, { inputs: 3000, seed: 7, fixtures: FIXTURES });
  expect(outcome.read + outcome.refused).toBe(3000);
  // The damage is of many kinds, and not so coarse that nothing is ever read.
  expect(outcome.read).toBeGreaterThan(100);
  expect(outcome.tensors).toBeGreaterThan(1000);
  expect(outcome.reasons.size).toBeGreaterThan(40);
});
