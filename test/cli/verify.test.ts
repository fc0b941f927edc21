/** `gsva verify`: recognises recordings, passes on whole ones, fails on altered ones. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { findRecordings } from '../../src/verification/recordings.js';
import { FIXTURES, fixture } from '../helpers/fixtures.js';
import { runCli } from '../helpers/run-cli.js';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gsva-verify-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('findRecordings', () => {
  test('recognises every kind in the folder that holds them', () => {
    expect(findRecordings(FIXTURES)).toEqual([
      { kind: 'datasets', folder: fixture('datasets') },
      { kind: 'model', folder: fixture('gsva-tiny') },
      { kind: 'images', folder: fixture('images') },
      { kind: 'metrics', folder: fixture('metrics') },
      { kind: 'tokenizer', folder: fixture('tokenizer') },
    ]);
  });

  test('takes a recording itself', () => {
    expect(findRecordings(fixture('metrics'))).toEqual([{ kind: 'metrics', folder: fixture('metrics') }]);
  });

  test('names the file that a recording lacks', () => {
    cpSync(fixture('metrics', 'predictions.safetensors'), join(folder, 'predictions.safetensors'));
    expect(() => findRecordings(folder)).toThrow('case.json is missing in this metrics recording');
  });

  test('refuses what holds no recording', () => {
    mkdirSync(join(folder, 'empty'));
    expect(() => findRecordings(folder)).toThrow('holds no recorded results');
    expect(() => findRecordings(join(folder, 'none'))).toThrow('no such folder');
  });
});

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
    expect(answer).toMatchObject({ pass: true, failed: 0, recordings: [{ kind: 'metrics', pass: true }] });
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
});
