/** A run folder of the first release, whose config.json names no system: resumed, it computes the updates that it would have. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writeSynthDataset } from '../../src/synthetic/writer.js';
import { readRunLog } from '../../src/training/watching/run-log.js';
import { fixture } from '../helpers/fixtures.js';
import { runCli } from '../helpers/run-cli.js';
import { smallConfig, writeConfig } from '../helpers/small-experiment.js';

/** Updates 3 and 4 as the first release computed them without a break, on the engine wasm. */
const UNINTERRUPTED = [
  { loss: 8.903667032718658, ce: 7.000016212463379, gradNorm: 2.972481270491433 },
  { loss: 8.77088463306427, ce: 6.89273738861084, gradNorm: 1.5515479361315097 },
];

const scratch = mkdtempSync(join(tmpdir(), 'gsva-old-run-'));

beforeAll(async () => {
  await writeSynthDataset(scratch, { seed: 1, trainImages: 5, valImages: 3, testAImages: 0, testBImages: 0 });
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

test('resumes where it ended, update by update', async () => {
  const out = join(scratch, 'run');
  cpSync(fixture('first-release-run'), out, { recursive: true });
  const config = writeConfig(join(scratch, 'run.json5'), smallConfig(scratch));
  const { code, stderr } = await runCli([
    ...['train', '--config', config, '--out', out, '--resume', '--engine', 'wasm', '--set'],
    ...['training.schedule.totalUpdates=4', 'training.validateEvery=100', 'training.bestMetric=null'],
  ]);
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  const { updates } = readRunLog(join(out, 'log.jsonl'));
  expect(updates.map(({ update }) => update)).toEqual([1, 2, 3, 4]);
  for (const [i, expected] of UNINTERRUPTED.entries()) {
    const { losses = {}, gradNorm } = updates[i + 2] ?? {};
    expect(losses['loss']).toBeCloseTo(expected.loss, 6);
    expect(losses['ce']).toBeCloseTo(expected.ce, 6);
    expect(gradNorm).toBeCloseTo(expected.gradNorm, 5);
  }
});
