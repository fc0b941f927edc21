import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { Tokenizer } from '../../../src/data/text/tokenizer.js';
import { readSentencePieceModel } from '../../../src/data/text/sentencepiece-model.js';
import { tokenizerJsonFromSentencePiece } from '../../helpers/sentencepiece-json.js';
import { UserError } from '../../../src/errors.js';
import { ADDED_TOKENS } from '../../../src/special-tokens.js';
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
  const tokenizer = Tokenizer.fromDirectory(fixture('tokenizer'));
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
    const tokenizer = Tokenizer.fromDirectory(fixture('tokenizer'));
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
    const tokenizer = Tokenizer.fromDirectory(fixture('tokenizer'));
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
    const tokenizer = Tokenizer.fromDirectory(folderWith('small', { 'tokenizer.model': model }));
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
    const tokenizer = Tokenizer.fromDirectory(folderWith('json', { 'tokenizer.json': JSON.stringify(json) }));
    expect(tokenizer.addTokens(ADDED_TOKENS)).toBe(4);
    expect(tokenizer.vocabSize).toBe(604);
    for (const item of recorded.cases) expect(tokenizer.encode(item.text)).toEqual(item.ids);
    // And the same texts: it is the same vocabulary.
    for (const item of recorded.cases) expect(tokenizer.decode(item.ids)).toBe(item.decoded);
    expect(tokenizer.decode([602, -200, 603])).toBe('<im_start> <image> <im_end>');
  });

  test('added_tokens.json is taken over; ids that leave a gap are refused', () => {
    const listed = folderWith('added', { 'tokenizer.model': modelBytes, 'added_tokens.json': '{"<pad>":600,"<s>":1}' });
    const tokenizer = Tokenizer.fromDirectory(listed);
    expect(tokenizer.tokenId('<pad>')).toBe(600);
    expect(tokenizer.vocabSize).toBe(601);
    const gap = folderWith('gap', { 'tokenizer.model': modelBytes, 'added_tokens.json': '{"<pad>":700}' });
    expect(() => Tokenizer.fromDirectory(gap)).toThrow(/added_tokens\.json gives "<pad>" the id 700.*600/);
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
    expect(() => Tokenizer.fromDirectory(dir)).toThrow(UserError);
    expect(() => Tokenizer.fromDirectory(dir)).toThrow(message);
  });
});
