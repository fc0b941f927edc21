import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { verifySelf1eTokenizer } from '../../src/verification/self1e-tokenizer.js';
import { fixture } from '../helpers/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-verify-self1e-tokenizer-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const RECORDED = fixture('self1e-tokenizer');
const DATA = fixture('datasets', 'data');

/** A copy of the recording with one text of one file replaced. */
function altered(file: string, found: string, changed: string): string {
  const content = readFileSync(join(RECORDED, file), 'utf8');
  expect(content.includes(found)).toBe(true);
  const dir = mkdtempSync(join(scratch, 'copy-'));
  cpSync(RECORDED, dir, { recursive: true });
  writeFileSync(join(dir, file), content.replace(found, changed));
  return dir;
}

async function failing(dir: string, data: string | null = null): Promise<string[]> {
  const items = await verifySelf1eTokenizer(dir, data);
  return items.filter(({ pass }) => !pass).map(({ item }) => item);
}

describe('verifySelf1eTokenizer', () => {
  test('both forms of the tokenizer, and every prompt, batch and item of the datasets pass', async () => {
    const items = await verifySelf1eTokenizer(RECORDED, DATA);
    expect(items.filter(({ pass }) => !pass)).toEqual([]);
    expect(items.map(({ item, detail }) => [item, detail])).toEqual([]);
  });
});
