import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { readTokenizer } from '../../../src/data/read-tokenizer.js';
import { UserError } from '../../../src/errors.js';
import { RESERVED_TEXTS } from '../../../src/special-tokens.js';
import { addSelf1eTokens, SELF1E_TOKENS } from '../../../src/systems/self1e/tokens.js';
import { fixture } from '../../helpers/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-self1e-tokens-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

describe('addSelf1eTokens', () => {
  test('[SEG] and [SEGT] follow the vocabulary; the rest is looked up', () => {
    const tokenizer = readTokenizer(fixture('self1e-tokenizer'), SELF1E_TOKENS);
    expect(tokenizer.vocabSize).toBe(598);
    const ids = addSelf1eTokens(tokenizer, 'folder');
    expect(ids).toEqual({
      seg: 598,
      unused: 599,
      imageContext: 591,
      pictureStart: 589,
      pictureEnd: 590,
      turnStart: 568,
      turnEnd: 569,
    });
    expect(tokenizer.vocabSize).toBe(600);
    // They are plain tokens: an answer for people keeps them, and loses what ends it.
    expect(tokenizer.decode([...tokenizer.encode('Sure, [SEG].'), 569], { skipSpecial: true })).toBe('Sure, [SEG].');
    expect([tokenizer.eosId, tokenizer.padId]).toEqual([569, 0]);
  });

  test('a tokenizer of another family, or one that lost a token, is refused with what it lacks', () => {
    const folder = fixture('tokenizer');
    const lacks = (): unknown => addSelf1eTokens(readTokenizer(folder), folder);
    expect(lacks).toThrow(UserError);
    expect(lacks).toThrow(
      `Reading the tokenizer of ${folder} for SELF1E: expected InternVL's tokens <img> </img> <IMG_CONTEXT> <|im_start|> ` +
        '<|im_end|>, found none for <img> </img> <IMG_CONTEXT> <|im_start|> <|im_end|>. Use the tokenizer files of',
    );
    const copy = join(scratch, 'copy');
    cpSync(fixture('self1e-tokenizer'), copy, { recursive: true });
    for (const name of ['tokenizer.json', 'tokenizer_config.json', 'added_tokens.json']) {
      const path = join(copy, name);
      writeFileSync(path, readFileSync(path, 'utf8').replaceAll('<IMG_CONTEXT>', '<IMG_OTHER>'));
    }
    expect(() => addSelf1eTokens(readTokenizer(copy), copy)).toThrow('found none for <IMG_CONTEXT>. Use');
  });

  test('no question may contain a token with a meaning', () => {
    const own = ['<img>', '</img>', '<IMG_CONTEXT>', '<|im_start|>', '<|im_end|>', '<|endoftext|>'];
    expect(RESERVED_TEXTS).toEqual(expect.arrayContaining([...SELF1E_TOKENS.added, ...own]));
  });
});
