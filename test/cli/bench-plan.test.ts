/** `gsva bench` and `gsva plan` on a model small enough for tests: what they print, and what they refuse. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { modelConfigToJson } from '../../src/systems/shared/model-config.js';
import { SMALL } from '../helpers/small-model.js';
import { runCli } from '../helpers/run-cli.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-bench-'));
const config = join(scratch, 'bench.json5');
const model = join(scratch, 'config.json');
const WORKLOAD = { seed: 1, batch: 1, textTokens: 24, masks: 2, height: 30, width: 40, newTokens: 4 };
beforeAll(() => {
  const sizes = modelConfigToJson(SMALL);
  writeFileSync(config, JSON.stringify({ description: 'small', model: sizes, workload: WORKLOAD }));
  writeFileSync(model, JSON.stringify(sizes));
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

describe('gsva bench', () => {
  const bench = ['bench', '--config', config, '--engine', 'wasm', '--runs', '2'];

  test('--json: every part with its runs, and the speed of generation', async () => {
    const { code, stdout } = await runCli([...bench, '--only', 'training step', 'generate', '--json']);
    const answer = JSON.parse(stdout) as {
      parts: { name: string; runs: number[]; median: number; peakRss: number }[];
      tokensPerSecond: number;
      engine: string;
      pytorch: null;
    };
    expect(answer.parts.map(({ name, runs }) => [name, runs.length])).toEqual([
      ['training step', 2],
      ['generate', 2],
    ]);
    const generation = answer.parts[1];
    expect(answer.tokensPerSecond).toBeCloseTo(4 / (generation?.median ?? NaN));
    expect(generation?.peakRss).toBeGreaterThan(2 ** 20);
    expect(answer.engine).toMatch(/^wasm: 1 thread/);
    expect([answer.pytorch, code]).toEqual([null, 0]);
  });

  test('--frozen-weights bf16 is measured and said', async () => {
    const { code, stdout } = await runCli([...bench, '--only', 'training step', '--frozen-weights', 'bf16', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ frozenWeights: 'bf16', parts: [{ name: 'training step' }] });
    expect(code).toBe(0);
    expect(await runCli([...bench, '--frozen-weights', 'int8'])).toMatchObject({ code: 2 });
  });

  test('--profile lists kernels by time', async () => {
    const { stdout, code } = await runCli([...bench, '--only', 'CLIP tower', '--profile']);
    expect(stdout).toMatch(/BatchMatMul/);
    expect(code).toBe(0);
  });

  test('--pytorch: what another program answers stands beside it', async () => {
    const python = join(scratch, 'python');
    const answer = { versions: 'PyTorch 1', peakRss: 2 ** 30, parts: { 'CLIP tower': { runs: [2, 4] } } };
    writeFileSync(python, `#!/bin/sh\necho '${JSON.stringify(answer)}'\n`);
    chmodSync(python, 0o755);
    const { stdout, code } = await runCli([...bench, '--only', 'CLIP tower', '--pytorch', python]);
    expect(stdout).toMatch(/CLIP tower .* 3\.000 +2\.000 – 4\.000 +0\.0\d×/);
    expect(stdout).toMatch(/PyTorch 1: peak RSS 1024 MiB/);
    expect(code).toBe(0);
    expect(await runCli([...bench, '--only', 'CLIP tower', '--pytorch', join(scratch, 'none')])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/none could not be started/),
    });
  });

  test('what cannot be measured is refused', async () => {
    expect(await runCli(['bench', '--only', 'the weather'])).toMatchObject({ code: 2 });
    expect(await runCli(['bench', '--runs', '0'])).toMatchObject({ code: 2 });
    expect(await runCli(['bench', '--config', join(scratch, 'none')])).toMatchObject({ code: 1 });
  });
});

describe('gsva plan', () => {
  interface Plan {
    readonly kind: string;
    readonly workload: { readonly batch: number; readonly height: number };
    readonly parts: readonly { readonly parameters: number; readonly trainable: number }[];
    readonly parameters: number;
    readonly weights: number;
    readonly optimizer: number;
    readonly trainable: number;
    readonly engines: readonly { readonly engine: string; readonly trainingFits: boolean }[];
  }

  test("--json of a model's config.json: parameters, bytes, engines; options replace the file's sizes", async () => {
    const { stdout, code } = await runCli(['plan', '--config', model, '--batch', '3', '--image', '64x48', '--json']);
    const plan = JSON.parse(stdout) as Plan;
    expect(code).toBe(0);
    expect([plan.kind, plan.workload.batch, plan.workload.height]).toEqual(['model', 3, 64]);
    expect(plan.parameters).toBe(plan.parts.reduce((sum, { parameters }) => sum + parameters, 0));
    expect([plan.weights, plan.optimizer]).toEqual([4 * plan.parameters, 8 * plan.trainable]);
    expect(plan.engines.map(({ engine }) => engine)).toEqual(['tensorflow', 'webgpu', 'openblas', 'wasm']);
  });

  test('as a table', async () => {
    const { stdout } = await runCli(['plan', '--config', config]);
    expect(stdout).toMatch(/F_LLM \(LLaMA\)/);
    expect(stdout).toMatch(/openblas .* yes/);
  });

  test('what cannot be planned is refused', async () => {
    expect(await runCli(['plan', '--config', config, '--image', 'large'])).toMatchObject({ code: 2 });
    expect(await runCli(['plan', '--config', model, '--check'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/takes a benchmark/),
    });
    expect(await runCli(['plan', '--config', join(scratch, 'none')])).toMatchObject({ code: 1 });
  });
});
