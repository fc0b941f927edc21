/** `gsva data synth` from the command line: the answer for people and for programs, refusing and replacing. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { GRefCoco } from '../../src/data/refer/refcoco.js';
import { runCli } from '../helpers/run-cli.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-cli-data-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const SIZES = ['--train', '2', '--val', '1', '--testA', '0', '--testB', '0'];

describe('gsva data synth', () => {
  test('writes a dataset that can be read, says what it has, and replaces it only when told to', async () => {
    const out = join(scratch, 'set');
    const first = await runCli(['data', 'synth', '--out', out, ...SIZES]);
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(/set: 3 images written in .* \(seed 1\); 27 expressions, \d+ with several targets/);
    expect(GRefCoco.open(out, 'train').images).toHaveLength(2);

    const second = await runCli(['data', 'synth', '--out', out, ...SIZES]);
    expect(second).toMatchObject({ code: 1, stdout: '' });
    expect(second.stderr).toMatch(/^gsva data synth: [^\n]*set is not empty[^\n]*--overwrite\n$/);

    const third = await runCli(['data', 'synth', '--out', out, ...SIZES, '--seed', '2', '--overwrite', '--json']);
    expect(third.code).toBe(0);
    expect(JSON.parse(third.stdout)).toMatchObject({ out, seed: 2, total: { images: 3, expressions: 27 } });
  });

  test('interrupted: no folder is left behind', async () => {
    const out = join(scratch, 'interrupted', 'set');
    const stopped = await runCli(['data', 'synth', '--out', out, ...SIZES], { signal: AbortSignal.abort() });
    expect(stopped.code).not.toBe(0);
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(join(scratch, 'interrupted'))).toEqual([]);
  });

  test('a seed beyond 32 bits is wrong usage: it would give the same data as another one', async () => {
    const { code, stderr } = await runCli(['data', 'synth', '--out', join(scratch, 'x'), '--seed', '4294967296']);
    expect(code).toBe(2);
    expect(stderr).toContain('--seed must be');
  });
});
