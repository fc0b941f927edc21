/** The recordings in this repository are unaltered, and an altered or missing file is noticed. */
import { appendFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { UserError } from '../../src/errors.js';
import { verifyDigests } from '../../src/verification/digests.js';
import type { RecordingKind } from '../../src/verification/digests.js';
import { fixture } from '../helpers/fixtures.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-digests-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('verifyDigests', () => {
  test.each<[RecordingKind, string]>([
    ['model', 'gsva-tiny'],
    ['metrics', 'metrics'],
    ['tokenizer', 'tokenizer'],
    ['datasets', 'datasets'],
    ['images', 'images'],
  ])('%s is as recorded', async (kind, name) => {
    expect(await verifyDigests(kind, fixture(name))).toEqual([
      expect.objectContaining({ item: 'files unaltered', largestError: 0, tolerance: 0, pass: true }),
    ]);
  });

  test('one byte more and one file less are two faults', async () => {
    const copy = join(folder, 'tokenizer');
    cpSync(fixture('tokenizer'), copy, { recursive: true });
    appendFileSync(join(copy, 'cases.json'), '\n');
    rmSync(join(copy, 'tokenizer.model'));
    expect(await verifyDigests('tokenizer', copy)).toEqual([
      {
        item: 'files unaltered',
        largestError: 2,
        tolerance: 0,
        pass: false,
        detail: 'cases.json is altered, tokenizer.model is missing',
      },
    ]);
  });

  test('a missing folder is a UserError that names it', async () => {
    await expect(verifyDigests('model', join(folder, 'absent'))).rejects.toThrow(UserError);
    await expect(verifyDigests('model', join(folder, 'absent'))).rejects.toThrow('absent');
  });
});
