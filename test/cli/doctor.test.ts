/** `gsva doctor` on this machine: engines really tried, one object for programs, exit codes. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { runCli } from '../helpers/run-cli.js';

interface Answer {
  readonly pass: boolean;
  readonly findings: readonly { subject: string; state: string; found: string; fix: string | null }[];
  readonly facts: { readonly settings: readonly { name: string; value: string }[] };
}

const env = process.env;
beforeEach(() => {
  process.env = { ...env };
});
afterEach(() => {
  process.env = env;
});

test('--json: every engine is tried, what is chosen works, no other variable of the environment is told', async () => {
  process.env.SOME_SECRET = 'swordfish';
  process.env.GSVA_ENGINE = 'wasm';
  const { code, stdout } = await runCli(['doctor', '--all', '--json']);
  expect(stdout).not.toContain('swordfish');
  const { pass, findings, facts } = JSON.parse(stdout) as Answer;
  expect(facts.settings).toContainEqual({ name: 'GSVA_ENGINE', value: 'wasm' });
  const stateOf = (subject: string): string | undefined =>
    findings.find((finding) => finding.subject === subject)?.state;
  expect(['engine wasm', 'engine cpu', 'wasm'].map(stateOf)).toEqual(['ok', 'ok', 'ok']);
  for (const engine of ['tensorflow', 'webgpu', 'openblas']) expect(stateOf(`engine ${engine}`)).toBeDefined();
  expect(findings.find(({ subject }) => subject === 'engine wasm')?.found).toMatch(/\d GFLOP\/s/);
  expect([pass, code]).toEqual([true, 0]);
});

test('without --all the answer comes in under ten seconds, and says what it leaves out', async () => {
  process.env.GSVA_ENGINE = '';
  const startedAt = performance.now();
  const { code, stdout } = await runCli(['doctor']);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  expect(stdout).toContain('--all measures and waits');
  expect(code).toBe(0);
});

test('what was asked for and is not here: exit code 1, and the command that fixes it', async () => {
  process.env.GSVA_TENSORFLOW = '/nonexistent';
  const { code, stdout } = await runCli(['doctor', '--engine', 'tensorflow', '--model', '/nonexistent']);
  expect(code).toBe(1);
  expect(stdout).toMatch(/problem +tensorflow +.*not set up/);
  expect(stdout).toMatch(/→ node bin\/gsva\.js setup tensorflow/);
  expect(stdout).toMatch(/problem +model +Reading the model: there is no folder/);
  expect(stdout).toMatch(/2 to fix/);
});

test('an engine or device that is none is wrong usage, before anything is tried', async () => {
  expect(await runCli(['doctor', '--device', 'tpu'])).toMatchObject({ code: 2, stdout: '' });
  process.env.GSVA_ENGINE = 'abacus';
  expect(await runCli(['doctor'])).toMatchObject({ code: 2, stdout: '' });
});
