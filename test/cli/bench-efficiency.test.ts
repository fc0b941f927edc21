/** `gsva bench efficiency` on two models small enough for tests: every work of every model, and the ratios to the first. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { modelConfigToJson } from '../../src/systems/shared/model-config.js';
import { self1eConfigToJson } from '../../src/systems/self1e/config.js';
import { SMALL } from '../helpers/small-model.js';
import { SMALL_SELF1E } from '../helpers/small-self1e.js';
import { runCli } from '../helpers/run-cli.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-efficiency-'));
const configs = ['self1e', 'gsva'].map((name) => join(scratch, `${name}.json`));
const WORKLOAD = { seed: 1, batch: 1, textTokens: 24, masks: 1, height: 30, width: 40, newTokens: 3 };
beforeAll(() => {
  for (const [i, model] of [self1eConfigToJson(SMALL_SELF1E), modelConfigToJson(SMALL)].entries()) {
    writeFileSync(configs[i] ?? '', JSON.stringify({ description: 'small', model, workload: WORKLOAD }));
  }
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

test('every model is measured in processes of its own, in turn', async () => {
  const run = ['bench', 'efficiency', '--configs', ...configs, '--engine', 'wasm', '--runs', '1', '--rounds', '2'];
  const { code, stdout } = await runCli([...run, '--json']);
  expect(code).toBe(0);
  const { models } = JSON.parse(stdout) as {
    models: { config: string; runs: Record<string, number[]>; peakRss: Record<string, number> }[];
  };
  expect(models.map(({ config }) => config)).toEqual(configs);
  for (const { runs, peakRss } of models) {
    expect(Object.values(runs).map(({ length }) => length)).toEqual([2, 2]);
    for (const bytes of Object.values(peakRss)) expect(bytes).toBeGreaterThan(2 ** 20);
  }
}, 120_000);

test('a benchmark that is absent is refused', async () => {
  const { code, stderr } = await runCli(['bench', 'efficiency', '--configs', join(scratch, 'none.json')]);
  expect(code).not.toBe(0);
  expect(stderr).toContain('none.json');
});
