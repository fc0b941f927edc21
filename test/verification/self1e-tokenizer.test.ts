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

async function failing(dir: string, data: string | null): Promise<string[]> {
  const items = await verifySelf1eTokenizer(dir, data);
  return items.filter(({ pass }) => !pass).map(({ item }) => item);
}

const WORDS = [
  ['SELF1E, tokenizer.json: vocabulary and added tokens', '14 compared'],
  ['SELF1E, tokenizer.json: token ids', '68 compared'],
  ['SELF1E, tokenizer.json: decoded texts', '136 compared'],
  ['SELF1E, vocab.json: vocabulary and added tokens', '14 compared'],
  ['SELF1E, vocab.json: token ids', '68 compared'],
  ['SELF1E, vocab.json: decoded texts', '136 compared'],
  ['SELF1E: questions, answers and form of conversation', '12 compared'],
  ['SELF1E: training prompts, ids and labels', '99 compared'],
  ['SELF1E: prompts of questions in words, ids and labels', '6 compared'],
  ['SELF1E: places in a prompt of full size', '4 compared'],
  ['SELF1E: padded batches, ids, labels and positions', '24 compared'],
  ['SELF1E: padded batches, what each token sees', '5 compared'],
];

/** Two recorded masks of one picture. */
const WATERFALL = 'Rd8b0X2000000000000000000000000000000000j:';
const FOOD = 'gP71h21N2N2N2N2O1N2N2N2N2O1N2002N1O2N2N2N2N1O2N2N2N2N1OeW1';

describe('verifySelf1eTokenizer', () => {
  test('both forms of the tokenizer, and every prompt, batch and item of the datasets pass', async () => {
    const items = await verifySelf1eTokenizer(RECORDED, DATA);
    expect(items.filter(({ pass }) => !pass)).toEqual([]);
    expect(items.map(({ item, detail }) => [item, detail])).toEqual([
      ...WORDS,
      ["SELF1E's training: questions and answers", '57 compared'],
      ["SELF1E's training: sizes and masks", '392 compared'],
      ["SELF1E's validation: questions, ids and lengths", '89 compared'],
      ["SELF1E's validation: sizes, masks and ignored pixels", '224 compared'],
      ['SELF1E: items of the lists repeated by SEG-rates', '8 compared'],
    ]);
  });

  test('without the datasets the words alone are compared; without tokenizer.json the other form', async () => {
    const dir = altered('cases.json', '"total"', '"total"');
    rmSync(join(dir, 'tokenizer.json'));
    const items = await verifySelf1eTokenizer(dir, null);
    expect(items.map(({ item, detail }) => [item, detail])).toEqual(WORDS.slice(3));
  });

  test.each([
    [
      'an id of a text',
      ['cases.json', '"text": "[SEG].",\n"ids": [\n598,', '"text": "[SEG].",\n"ids": [\n599,'],
      [
        'tokenizer.json: token ids',
        'tokenizer.json: decoded texts',
        'vocab.json: token ids',
        'vocab.json: decoded texts',
      ],
    ],
    ['an answer', ['prompts.json', '"Sure, it is [SEG]."', '"Sure, it was [SEG]."'], ['questions, answers and form']],
    ['a cell of a matrix', ['prompts.json', '"attends":[["1000', '"attends":[["1001'], ['what each token sees']],
    ['a place', ['prompts.json', '"first_image":15', '"first_image":16'], ['places in a prompt']],
    ['a mask', ['prompts.json', `"rle":"${WATERFALL}"`, `"rle":"${FOOD}"`], ['training: sizes and masks']],
  ])('%s that was altered fails alone', async (_, [file = '', found = '', changed = ''], items) => {
    const failed = await failing(altered(file, found, changed), DATA);
    expect(failed).toEqual(items.map((item) => expect.stringContaining(item) as unknown));
  });
});
