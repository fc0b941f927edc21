import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { readTokenizer } from '../../../src/data/read-tokenizer.js';
import type { Tokenizer } from '../../../src/data/text/tokenizer.js';
import { readSentencePieceModel } from '../../../src/data/text/sentencepiece-model.js';
import { tokenizerJsonFromSentencePiece } from '../../helpers/sentencepiece-json.js';
import { UserError } from '../../../src/errors.js';
import { ADDED_TOKENS } from '../../../src/systems/shared/decision-tokens.js';
import { fixture } from '../../helpers/fixtures.js';
import { sentencePieceBpe } from '../../helpers/sentencepiece-bpe.js';
import { llamaPieces, writeSentencePieceModel } from '../../helpers/sentencepiece-writer.js';

interface Case {
  text: string;
  ids: number[];
  ids_no_special: number[];
  decoded: string;
  decoded_skip: string;
}
const recorded = JSON.parse(readFileSync(fixture('tokenizer', 'cases.json'), 'utf8')) as {
  vocab_size: number;
  total: number;
  added: Record<string, number>;
  cases: Case[];
};
const modelBytes = readFileSync(fixture('tokenizer', 'tokenizer.model'));
const scratch = mkdtempSync(join(tmpdir(), 'gsva-tokenizer-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

function reference(): Tokenizer {
  const tokenizer = readTokenizer(fixture('tokenizer'));
  tokenizer.addTokens(ADDED_TOKENS);
  return tokenizer;
}

function folderWith(name: string, files: Record<string, string | Uint8Array>): string {
  const dir = mkdtempSync(join(scratch, `${name}-`));
  for (const [file, content] of Object.entries(files)) writeFileSync(join(dir, file), content);
  return dir;
}

describe('Tokenizer, from tokenizer.model', () => {
  test('adds tokens after the vocabulary, once, and knows the special ones', () => {
    const tokenizer = readTokenizer(fixture('tokenizer'));
    expect(tokenizer.vocabSize).toBe(recorded.vocab_size);
    expect(tokenizer.addTokens(ADDED_TOKENS)).toBe(4);
    expect(tokenizer.addTokens(['[SEG]', '[SEG]', '<s>'])).toBe(0);
    expect(tokenizer.vocabSize).toBe(recorded.total);
    for (const [token, id] of Object.entries(recorded.added)) expect(tokenizer.tokenId(token)).toBe(id);
    expect([tokenizer.unkId, tokenizer.bosId, tokenizer.eosId, tokenizer.padId]).toEqual([0, 1, 2, 0]);
    expect(tokenizer.tokenId('no such token')).toBeUndefined();
  });

  test.each(recorded.cases.map((item): [string, Case] => [item.text.slice(0, 60), item]))(
    'has the ids of the slow LLaMA tokenizer, and its text: %j',
    (_, item) => {
      const tokenizer = reference();
      expect(tokenizer.encode(item.text)).toEqual(item.ids);
      expect(tokenizer.encode(item.text, { addBos: false })).toEqual(item.ids_no_special);
      expect(tokenizer.decode(item.ids)).toBe(item.decoded);
      expect(tokenizer.decode(item.ids, { skipSpecial: true })).toBe(item.decoded_skip);
    },
  );

  test('merges as SentencePiece does: random texts against the algorithm written out', () => {
    const tokenizer = readTokenizer(fixture('tokenizer'));
    const model = readSentencePieceModel(modelBytes, 'tokenizer.model');
    const words = model.pieces.filter((piece) => piece.kind === 1).map((piece) => piece.text.replaceAll('\u2581', ' '));
    const text = fc.array(fc.oneof(fc.constantFrom(...words), fc.string({ unit: 'grapheme' })), { maxLength: 20 });
    fc.assert(
      fc.property(text, (parts) => {
        const joined = parts.join('');
        fc.pre(!['<s>', '</s>', '<unk>'].some((token) => joined.includes(token)));
        expect(tokenizer.encode(joined, { addBos: false })).toEqual(sentencePieceBpe(model, joined));
      }),
      { numRuns: 500, seed: 7 },
    );
  });

  test('a piece that is made a token keeps its id and is matched as a whole', () => {
    // Ids 259 to 263; "ab" has a higher score than "ba".
    const model = writeSentencePieceModel(llamaPieces(['\u2581', 'a', 'b', 'ab', 'ba']));
    const tokenizer = readTokenizer(folderWith('small', { 'tokenizer.model': model }));
    expect(tokenizer.encode('aba')).toEqual([1, 259, 262, 260]);
    expect(tokenizer.addTokens(['ba', 'new', 'new'])).toBe(1);
    expect(tokenizer.encode('aba')).toEqual([1, 259, 260, 263]);
    expect(tokenizer.tokenId('new')).toBe(264);
    expect(() => tokenizer.addTokens([''])).toThrow(UserError);
  });

  test('decodes what it cannot know: the image placeholder, ids beyond the vocabulary, broken UTF-8', () => {
    const tokenizer = reference();
    expect(tokenizer.decode([602, -200, 603])).toBe('<im_start> <image> <im_end>');
    expect(tokenizer.decode([602, -200, 603], { skipSpecial: true })).toBe('');
    expect(tokenizer.decode([99999])).toBe('<unk>');
    expect(tokenizer.decode([198])).toBe('\ufffd');
    expect(tokenizer.decode([])).toBe('');
  });

  test('text comes back from its ids', () => {
    const tokenizer = reference();
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
        fc.pre(!text.startsWith(' ') && !text.includes('\u2581'));
        expect(tokenizer.decode(tokenizer.encode(text, { addBos: false }))).toBe(text);
      }),
      { numRuns: 300, seed: 3 },
    );
  });

  test('encodes 2 MB of hostile text without trouble', () => {
    const tokenizer = reference();
    expect(tokenizer.encode('aaaa'.repeat(50_000)).length).toBeGreaterThan(1000);
    expect(tokenizer.encode('[SEG'.repeat(50_000)).length).toBeGreaterThan(1000);
  });
});

describe('Tokenizer, from other files', () => {
  test('a tokenizer.json gives the same ids', () => {
    const json = tokenizerJsonFromSentencePiece(readSentencePieceModel(modelBytes, 'tokenizer.model'));
    const tokenizer = readTokenizer(folderWith('json', { 'tokenizer.json': JSON.stringify(json) }));
    expect(tokenizer.addTokens(ADDED_TOKENS)).toBe(4);
    expect(tokenizer.vocabSize).toBe(604);
    for (const item of recorded.cases) expect(tokenizer.encode(item.text)).toEqual(item.ids);
    // And the same texts: it is the same vocabulary.
    for (const item of recorded.cases) expect(tokenizer.decode(item.ids)).toBe(item.decoded);
    expect(tokenizer.decode([602, -200, 603])).toBe('<im_start> <image> <im_end>');
  });

  test('added_tokens.json is taken over; ids that leave a gap are refused', () => {
    const listed = folderWith('added', { 'tokenizer.model': modelBytes, 'added_tokens.json': '{"<pad>":600,"<s>":1}' });
    const tokenizer = readTokenizer(listed);
    expect(tokenizer.tokenId('<pad>')).toBe(600);
    expect(tokenizer.vocabSize).toBe(601);
    const gap = folderWith('gap', { 'tokenizer.model': modelBytes, 'added_tokens.json': '{"<pad>":700}' });
    expect(() => readTokenizer(gap)).toThrow(/added_tokens\.json gives "<pad>" the id 700.*600/);
  });

  const added = (content: string, id: number, more: object = {}): object => ({
    ...{ id, content, special: true, normalized: false, lstrip: false, rstrip: false, single_word: false },
    ...more,
  });
  const jsonOf = (tokens: readonly object[]): string => {
    const json = tokenizerJsonFromSentencePiece(readSentencePieceModel(modelBytes, 'tokenizer.model'));
    return JSON.stringify({ ...json, added_tokens: [...json.added_tokens, ...tokens] });
  };

  test('a token that tokenizer.json alone lists is none of the ids that are added later', () => {
    const files = { 'tokenizer.model': modelBytes, 'tokenizer.json': jsonOf([added('[PAD]', 600)]) };
    const tokenizer = readTokenizer(folderWith('pad', files));
    tokenizer.addTokens(ADDED_TOKENS);
    expect([tokenizer.tokenId('[PAD]'), tokenizer.tokenId('[SEG]')]).toEqual([600, 601]);
    const decoder = { added_tokens_decoder: { 600: added('[PAD]', 600) } };
    const listed = { 'tokenizer.model': modelBytes, 'tokenizer_config.json': JSON.stringify(decoder) };
    expect(readTokenizer(folderWith('pad', listed)).tokenId('[PAD]')).toBe(600);
  });

  test('files that contradict each other are refused, both named', () => {
    const two = { 'tokenizer.model': modelBytes, 'tokenizer.json': jsonOf([added('<pad>', 601), added('[PAD]', 600)]) };
    const other = { ...two, 'added_tokens.json': '{"<pad>":600}' };
    expect(() => readTokenizer(folderWith('two', other))).toThrow(
      /tokenizer\.json gives "<pad>" the id 601, but .*added_tokens\.json gives it the id 600/,
    );
    const json = jsonOf([]).replace('"<unk>":0', '"<unk>":2').replace('"</s>":2', '"</s>":0');
    const vocabulary = { 'tokenizer.model': modelBytes, 'tokenizer.json': json };
    expect(() => readTokenizer(folderWith('two', vocabulary))).toThrow(
      /tokenizer\.json is of another vocabulary: "<unk>" is 2 there and 0 in .*tokenizer\.model/,
    );
    const names = { 'tokenizer_config.json': '{"eos_token":"</s>"}', 'special_tokens_map.json': '{"eos_token":"<s>"}' };
    expect(() => readTokenizer(folderWith('two', { 'tokenizer.model': modelBytes, ...names }))).toThrow(
      /"eos_token" is "<\/s>" in .*tokenizer_config\.json, but "<s>" in .*special_tokens_map\.json/,
    );
  });

  test('added tokens with normalized: true are found in the text as it stands', () => {
    const seg = added('[SEG]', 600, { special: false, normalized: true });
    const tokenizer = readTokenizer(folderWith('normalized', { 'tokenizer.json': jsonOf([seg]) }));
    expect(tokenizer.encode('circle:[SEG].')).toContain(600);
    expect(tokenizer.encode('circle:[SEG].')).toEqual(reference().encode('circle:[SEG].'));
  });

  test('lstrip and rstrip take the spaces around a token', () => {
    const both = added('[SEG]', 600, { lstrip: true, rstrip: true });
    const tokenizer = readTokenizer(folderWith('strip', { 'tokenizer.json': jsonOf([both]) }));
    expect(tokenizer.encode('a  [SEG]  a')).toEqual([1, 263, 600, 263]);
  });

  test('white space next to added tokens is stripped where the system was trained so, never next to <s> and </s>', () => {
    const [kept, stripped] = (['kept', 'stripped'] as const).map((addedTokenSpaces) => {
      const tokenizer = readTokenizer(fixture('tokenizer'), { addedTokenSpaces });
      tokenizer.addTokens(ADDED_TOKENS);
      return tokenizer;
    }) as [Tokenizer, Tokenizer];
    // 544 is the space alone, 13 the line feed, 263 "▁a".
    expect(kept.encode('a [SEG] \n a')).toEqual([1, 263, 544, 600, 544, 544, 13, 263]);
    expect(stripped.encode('a [SEG] \n a')).toEqual([1, 263, 600, 263]);
    expect(stripped.encode('[SEG] \n [SEG]a')).toEqual([1, 600, 600, 263]);
    // Python's white space: U+001C and U+0085 belong to it, U+FEFF does not.
    expect(stripped.encode('a\x1c\x85\xa0[SEG]\u2028a')).toEqual([1, 263, 600, 263]);
    expect(stripped.encode('a\ufeff[SEG]')).toEqual(kept.encode('a\ufeff[SEG]'));
    expect(stripped.encode('a </s> a')).toEqual(kept.encode('a </s> a'));
    expect(kept.encode('a </s> a')).toEqual([1, 263, 544, 2, 544, 263]);
    const hostile = `a${' '.repeat(500_000)}[SEG]`;
    expect(stripped.encode(hostile)).toEqual([1, 263, 600]);
  });

  test('the tokenizer.json of transformers 5 (Metaspace) gives the ids of tokenizer.model', () => {
    const json = JSON.parse(jsonOf([])) as Record<string, unknown>;
    const space = { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'first', split: false };
    const content = JSON.stringify({ ...json, normalizer: null, pre_tokenizer: space });
    const tokenizer = readTokenizer(folderWith('five', { 'tokenizer.json': content }));
    tokenizer.addTokens(ADDED_TOKENS);
    for (const item of recorded.cases) expect(tokenizer.encode(item.text)).toEqual(item.ids);
  });

  test('"legacy": false puts the space in front of the whole text alone', () => {
    const files = { 'tokenizer.model': modelBytes, 'tokenizer_config.json': '{"legacy":false}' };
    const tokenizer = readTokenizer(folderWith('legacy', files));
    tokenizer.addTokens(ADDED_TOKENS);
    // 544 is the space alone, which legacy tokenizers put in front of every part.
    expect(reference().encode('a[SEG].')).toEqual([1, 263, 600, 544, 565]);
    expect(tokenizer.encode('a[SEG].')).toEqual([1, 263, 600, 565]);
  });

  test('"bos_token": null: no begin token is put first, and whoever needs one is told', () => {
    const files = { 'tokenizer.model': modelBytes, 'tokenizer_config.json': '{"bos_token":null}' };
    const tokenizer = readTokenizer(folderWith('none', files));
    expect(tokenizer.encode('a')).toEqual([263]);
    expect(() => tokenizer.bosId).toThrow(/has no begin-of-text token \("bos_token" is null/);
    const unnamed = readTokenizer(folderWith('none', { ...files, 'tokenizer_config.json': '{"unk_token":null}' }));
    expect(() => unnamed.unkId).toThrow(/has no unknown token \("unk_token" is null/);
    // Padding has no meaning: any id does.
    expect(unnamed.padId).toBe(0);
    const without = { 'tokenizer.model': modelBytes, 'tokenizer_config.json': '{"add_bos_token":false}' };
    expect(readTokenizer(folderWith('none', without)).encode('a')).toEqual([263]);
  });

  test('bytes that are no character are one U+FFFD each', () => {
    const byte = (...values: number[]): number[] => values.map((value) => value + 3);
    expect(reference().decode(byte(0xe2, 0x82))).toBe('\ufffd\ufffd');
    expect(reference().decode(byte(0xe2, 0x82, 0xac))).toBe('€');
    expect(reference().decode(byte(0xf0, 0x9f, 0x98, 0x41))).toBe('\ufffd\ufffd\ufffdA');
    expect(reference().decode(byte(0xed, 0xa0, 0x80, 0xc0, 0x80))).toBe('\ufffd'.repeat(5));
  });

  test('vocab.json and merges.txt are a byte-level vocabulary, cut into words as tokenizer_class says', () => {
    const files = {
      'vocab.json': JSON.stringify({ a: 0, b: 1, '\u0120': 2, '\u0120a': 3, ab: 4, '<s>': 5, '</s>': 6 }),
      'merges.txt': '#version: 0.2\n\u0120 a\na b\n',
      'tokenizer_config.json': '{"tokenizer_class":"GPT2Tokenizer","unk_token":null}',
    };
    const tokenizer = readTokenizer(folderWith('bytes', files));
    expect(tokenizer.encode('ab a b')).toEqual([5, 4, 3, 2, 1]);
    expect(tokenizer.addTokens(['[SEG]'])).toBe(1);
    expect(tokenizer.encode('a[SEG]b', { addBos: false })).toEqual([0, 7, 1]);
    expect(tokenizer.decode([4, 3, 7, 1])).toBe('ab a[SEG]b');
    const other = { ...files, 'tokenizer_config.json': '{"tokenizer_class":"CLIPTokenizer"}' };
    expect(() => readTokenizer(folderWith('bytes', other))).toThrow(/which says "CLIPTokenizer"/);
  });

  test.each([
    ['an empty folder', {}, /neither tokenizer\.model nor tokenizer\.json/],
    ['broken JSON', { 'tokenizer.json': '{' }, /cannot be read as JSON/],
    ['no model', { 'tokenizer.json': '{}' }, /model in .* should be an object/],
    ['no vocabulary', { 'tokenizer.json': '{"model":{"type":"BPE"}}' }, /model\.vocab/],
    ['an id that is a text', { 'tokenizer.json': '{"model":{"type":"BPE","vocab":{"a":"0"}}}' }, /model\.vocab\["a"\]/],
    ['a huge id', { 'tokenizer.json': '{"model":{"type":"BPE","vocab":{"a":1e12}}}' }, /model\.vocab\["a"\]/],
    [
      'an unknown type',
      { 'tokenizer.json': '{"model":{"type":"X","vocab":{"a":0}}}' },
      /model\.type .* should be BPE, Unigram, WordPiece/,
    ],
    [
      'merges of another kind',
      { 'tokenizer.json': '{"model":{"type":"BPE","vocab":{"a":0},"merges":[1]}}' },
      /cannot be used/,
    ],
    [
      'no begin token',
      { 'tokenizer.json': '{"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}' },
      /no begin-of-text token/,
    ],
  ])('says what is wrong with %s', (_, files: Record<string, string>, message) => {
    const dir = folderWith('bad', files);
    expect(() => readTokenizer(dir)).toThrow(UserError);
    expect(() => readTokenizer(dir)).toThrow(message);
  });
});
