import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { UserError } from '../../src/errors.js';
import { verifyTokenizer } from '../../src/verification/tokenizer.js';
import { fixture } from '../helpers/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-verify-tokenizer-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

/** A copy of the recording in which the text of one file was changed. */
function altered(file: string, change: (text: string) => string): string {
  const dir = mkdtempSync(join(scratch, 'copy-'));
  cpSync(fixture('tokenizer'), dir, { recursive: true });
  writeFileSync(join(dir, file), change(readFileSync(join(dir, file), 'utf8')));
  return dir;
}

describe('verifyTokenizer', () => {
  test('the recording passes, every case of it', () => {
    const items = verifyTokenizer(fixture('tokenizer'));
    expect(items.map((item) => [item.item, item.largestError, item.pass, item.detail])).toEqual([
      ['vocabulary and added tokens', 0, true, '9 compared'],
      ['token ids', 0, true, '60 compared'],
      ['token ids without <s>', 0, true, '60 compared'],
    ]);
  });

  test('an altered id fails and is named', () => {
    const dir = altered('cases.json', (text) => text.replace(/263\b/, '264'));
    const failed = verifyTokenizer(dir).filter((item) => !item.pass);
    expect(failed).toHaveLength(1);
    expect(failed[0]).toMatchObject({
      largestError: 1,
      tolerance: 0,
      detail: expect.stringContaining('"a"') as unknown,
    });
  });

  test('a recording without cases proves nothing', () => {
    const dir = altered('cases.json', (text) => JSON.stringify({ ...(JSON.parse(text) as object), cases: [] }));
    expect(verifyTokenizer(dir).map((item) => item.pass)).toEqual([true, false, false]);
  });

  test('missing parts are named', () => {
    expect(() => verifyTokenizer(join(scratch, 'nowhere'))).toThrow(UserError);
    const dir = altered('cases.json', (text) => text.replace('"total"', '"totals"'));
    expect(() => verifyTokenizer(dir)).toThrow(/cases\.json .*expected an object with the key "total"/);
  });
});
