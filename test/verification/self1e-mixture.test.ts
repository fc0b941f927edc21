/** The recorded numbers of items in SELF1E's mixture are ours, and other numbers are found out. */
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { JsonPlace } from '../../src/data/annotation-files.js';
import { verifySelf1eMixture } from '../../src/verification/self1e-mixture.js';
import type { VerifyItem } from '../../src/verification/verify-item.js';
import { fixture } from '../helpers/fixtures.js';

const FILE = fixture('self1e-tokenizer', 'prompts.json');
const read = (): { total: number; lengths: number[] }[] =>
  (JSON.parse(readFileSync(FILE, 'utf8')) as { mixture: ReturnType<typeof read> }).mixture;
const DATA = fixture('datasets', 'data');

const items = (mixture: unknown): VerifyItem[] => verifySelf1eMixture(new JsonPlace(mixture, 'SELF1E', FILE), DATA);

test('both versions of the mixture', () => {
  expect(read().map(({ total }) => total)).toEqual([44, 233]);
  expect(items(read())).toMatchObject([{ pass: true, detail: '8 compared' }]);
});

test('a length that is another', () => {
  const [base, seg] = read();
  if (seg !== undefined) seg.lengths[1] = 121;
  expect(items([base, seg])).toMatchObject([
    { pass: false, detail: expect.stringContaining('rates 6,20,6,1: lengths') },
  ]);
  expect(items([])).toMatchObject([{ pass: false }]);
});
