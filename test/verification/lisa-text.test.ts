import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { readTokenizer } from '../../src/data/read-tokenizer.js';
import { IMAGE_PLACEHOLDER, IMAGE_TOKEN_ID } from '../../src/special-tokens.js';
import { verifyLisaText } from '../../src/verification/lisa-text.js';
import { fixture } from '../helpers/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-verify-lisa-text-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const recorded = readFileSync(fixture('lisa-text', 'text.json'), 'utf8');
const TOKENIZER = fixture('tokenizer');
const DATA = fixture('datasets', 'data');

function altered(found: string, changed: string): string {
  expect(recorded.includes(found)).toBe(true);
  const dir = mkdtempSync(join(scratch, 'copy-'));
  writeFileSync(join(dir, 'text.json'), recorded.replace(found, changed));
  return dir;
}

const CONVERSATIONS = [
  ['LISA: tokens, questions and answers', '12 compared'],
  ['LISA, llava_v1: text', '114 compared'],
  ['LISA, llava_v1: ids and supervised spans', '228 compared'],
  ['LISA, llava_llama_2: text', '60 compared'],
  ['LISA, llava_llama_2: ids and supervised spans', '120 compared'],
  ['LISA, llava_v1: chat prompts and ids', '12 compared'],
  ['LISA, llava_llama_2: chat prompts and ids', '12 compared'],
  ['LISA, llava_v1: padded batches', '12 compared'],
  ['LISA, llava_llama_2: padded batches', '6 compared'],
];

describe('verifyLisaText', () => {
  // The tokenizer as it came, and the one in the folder that LISA's merge script wrote.
  test.each([TOKENIZER, fixture('checkpoints-tiny-lisa', 'lisa')])('every text passes with %s', async (tokenizer) => {
    const items = await verifyLisaText(fixture('lisa-text'), tokenizer, null);
    expect(items.filter(({ pass }) => !pass)).toEqual([]);
    expect(items.map(({ item, detail }) => [item, detail])).toEqual(CONVERSATIONS);
  });

  test('the conversations are those that the datasets give, with their masks', async () => {
    const items = (await verifyLisaText(fixture('lisa-text'), TOKENIZER, DATA)).slice(CONVERSATIONS.length);
    expect(items.filter(({ pass }) => !pass)).toEqual([]);
    expect(items.map(({ item }) => item)).toEqual([
      "LISA's training, llava_v1: questions and answers",
      "LISA's training, llava_v1: sizes and masks",
      "LISA's validation, llava_v1: questions and answers",
      "LISA's validation, llava_v1: sizes and masks",
      "LISA's training, llava_llama_2: questions and answers",
      "LISA's validation, llava_llama_2: questions and answers",
    ]);
  });

  test.each([
    ['an id', '"input_ids":[[1,544,', '"input_ids":[[1,545,', 'LISA, llava_v1: ids and supervised spans'],
    ['a span', '[[128,136]]', '[[127,136]]', 'LISA, llava_v1: ids and supervised spans'],
    ['a list', '"It is [SEG]."', '"It was [SEG]."', 'LISA: tokens, questions and answers'],
  ])('%s that was altered fails alone', async (_, found, changed, item) => {
    const items = await verifyLisaText(altered(found, changed), TOKENIZER, null);
    expect(items.filter(({ pass }) => !pass).map((each) => each.item)).toEqual([item]);
  });

  test('ids with white space kept are those of the later version of the library', () => {
    interface Difference {
      text: string;
      ids_4_31: number[];
      ids_4_37: number[];
    }
    const differing = (JSON.parse(recorded) as { 'differs_in_4.37': Difference[] })['differs_in_4.37'];
    expect(differing).toHaveLength(10);
    for (const [spaces, key] of [
      ['stripped', 'ids_4_31'],
      ['kept', 'ids_4_37'],
    ] as const) {
      const tokenizer = readTokenizer(fixture('checkpoints-tiny-lisa', 'lisa'), { addedTokenSpaces: spaces });
      for (const each of differing) {
        const ids = each.text
          .split(IMAGE_PLACEHOLDER)
          .flatMap((part, i) => [
            i === 0 ? tokenizer.bosId : IMAGE_TOKEN_ID,
            ...tokenizer.encode(part, { addBos: false }),
          ]);
        expect(ids).toEqual(each[key]);
      }
    }
  });
});
