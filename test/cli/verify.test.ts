/** `gsva verify`: passes on whole recordings, fails on altered ones. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { fixture } from '../helpers/fixtures.js';
import { runCli } from '../helpers/run-cli.js';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gsva-verify-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** What is compared of one recording, after its files. */
async function numbersOf(path: string): Promise<object[]> {
  const { stdout } = await runCli(['verify', path, '--json']);
  const { recordings } = JSON.parse(stdout) as { recordings: { items: object[] }[] };
  return recordings.flatMap(({ items }) => items.slice(1));
}

describe('gsva verify', () => {
  test('prints item, largest error, tolerance and pass, and ends with 0', async () => {
    const { code, stdout } = await runCli(['verify', fixture('metrics')]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/item +largest error +tolerance +pass/);
    expect(stdout).toMatch(/strict gIoU +\S+ +1\.0e-6 +pass/);
    expect(stdout).toContain('all passed');
  });

  test('--json is one object with every item', async () => {
    const { code, stdout } = await runCli(['verify', fixture('metrics'), '--json']);
    const answer = JSON.parse(stdout);
    expect(code).toBe(0);
    expect(answer).toMatchObject({
      pass: true,
      failed: 0,
      recordings: [{ system: 'gsva', kind: 'metrics', signed: true, pass: true }],
    });
    expect(answer.items).toBe(answer.recordings[0].items.length);
  });

  test('fails when a figure of the recording is altered', async () => {
    const path = join(folder, 'case.json');
    cpSync(fixture('metrics'), folder, { recursive: true });
    const recorded = JSON.parse(readFileSync(path, 'utf8'));
    recorded.expected.strict.gIoU = Number(recorded.expected.strict.gIoU) + 1e-4;
    writeFileSync(path, JSON.stringify(recorded));
    const { code, stdout } = await runCli(['verify', folder]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/strict gIoU +1\.0e-4 +1\.0e-6 +FAIL/);
  });

  test('fails, and still ends in order, when a file is corrupt', async () => {
    cpSync(fixture('metrics'), folder, { recursive: true });
    writeFileSync(join(folder, 'predictions.safetensors'), 'not a tensor');
    const { code, stdout } = await runCli(['verify', folder, fixture('metrics'), '--json']);
    const { recordings } = JSON.parse(stdout) as { recordings: { pass: boolean }[] };
    expect(code).toBe(1);
    expect(recordings.map(({ pass }) => pass)).toEqual([false, true]);
  });

  test('one flipped byte in a recorded file that no figure depends on is noticed', async () => {
    cpSync(fixture('metrics'), folder, { recursive: true });
    const path = join(folder, 'case.json');
    writeFileSync(path, `${readFileSync(path, 'utf8')} `);
    expect((await runCli(['verify', folder])).code).toBe(1);
  });

  test('a recording without a manifest is compared and reported as unsigned', async () => {
    cpSync(fixture('metrics'), folder, { recursive: true });
    rmSync(join(folder, 'SHA256SUMS'));
    const { code, stdout } = await runCli(['verify', folder]);
    expect(code).toBe(0);
    expect(stdout).toContain('(gsva, metrics, unsigned, ');
    expect(stdout).toMatch(/files unaltered +0 +0 +pass +unsigned: /);
    const [signed, unsigned] = await Promise.all([numbersOf(fixture('metrics')), numbersOf(folder)]);
    expect(unsigned).toEqual(signed);
  });

  test('folders next to a recording that cannot be verified are left out by name', async () => {
    cpSync(fixture('metrics'), join(folder, 'figures'), { recursive: true });
    cpSync(fixture('metrics'), join(folder, 'other'), { recursive: true });
    const path = join(folder, 'other', 'case.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('{', '{"system": "other", '));
    const { code, stdout, stderr } = await runCli(['verify', folder, '--json']);
    const answer = JSON.parse(stdout) as { recordings: { folder: string }[]; leftOut: string[] };
    expect(code).toBe(0);
    expect(answer.recordings.map((recording) => recording.folder)).toEqual([join(folder, 'figures')]);
    const reason = `${join(folder, 'other')} holds results of a system or kind that is not known here (by case.json)`;
    expect(answer.leftOut).toEqual([reason]);
    expect(stderr).toContain(`left out: ${reason}`);
  });
});
