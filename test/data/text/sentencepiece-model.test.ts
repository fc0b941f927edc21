import { readFileSync } from 'node:fs';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { type SentencePiece, readSentencePieceModel } from '../../../src/data/text/sentencepiece-model.js';
import { tokenizerJsonFromSentencePiece } from '../../helpers/sentencepiece-json.js';
import { LibraryTokenizer } from '../../../src/data/text/vocabulary-text.js';
import { UserError } from '../../../src/errors.js';
import { fixture } from '../../helpers/fixtures.js';
import { sentencePieceBpe } from '../../helpers/sentencepiece-bpe.js';
import { type ModelSettings, llamaPieces, writeSentencePieceModel } from '../../helpers/sentencepiece-writer.js';

const recorded = new Uint8Array(readFileSync(fixture('tokenizer', 'tokenizer.model')));

describe('readSentencePieceModel', () => {
  test('reads the recorded model', () => {
    const model = readSentencePieceModel(recorded, 'tokenizer.model');
    expect(model.pieces).toHaveLength(600);
    expect([model.unkId, model.bosId, model.eosId]).toEqual([0, 1, 2]);
    expect(model.pieces[0]).toEqual({ text: '<unk>', score: 0, kind: 2 });
    expect(model.pieces[263]?.text).toBe('\u2581a');
  });

  test('reads what the test writer writes, unknown fields passed over', () => {
    const pieces = llamaPieces(['\u2581', 'a', '\u2581a']);
    const bytes = Uint8Array.from([
      ...writeSentencePieceModel(pieces),
      0x78,
      0x05,
      0x7d,
      1,
      2,
      3,
      4,
      0x79,
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
    ]);
    expect(readSentencePieceModel(bytes, 'x').pieces).toEqual(pieces);
  });

  const piece = (text: string, kind = 1, score = 0): SentencePiece => ({ text, kind, score });
  const cases: [string, SentencePiece[], ModelSettings, RegExp][] = [
    ['a unigram model', llamaPieces([]), { trainer: { 3: 1 } }, /model type is 1/],
    ['no byte fallback', llamaPieces([]), { trainer: { 35: 0 } }, /no byte fallback/],
    ['spaces as suffixes', llamaPieces([]), { trainer: { 24: 1 } }, /suffixes/],
    ['removed spaces', llamaPieces([]), { normalizer: { 4: 1 } }, /normalises/],
    ['no space in front', llamaPieces([]), { normalizer: { 3: 0 } }, /does not put/],
    ['no pieces', [], {}, /holds no pieces/],
    ['a missing byte', llamaPieces([]).slice(0, -1), {}, /255 byte pieces/],
    ['a byte of another name', [...llamaPieces([]), piece('<0xZZ>', 6)], {}, /not named like/],
    ['the same piece twice', llamaPieces(['a', 'a']), {}, /occurs twice/],
    ['an empty piece', llamaPieces(['']), {}, /has 0 characters/],
    ['a long piece', llamaPieces(['a'.repeat(600)]), {}, /has 600 characters/],
    ['a score that is no number', [...llamaPieces([]), piece('a', 1, NaN)], {}, /score NaN/],
    ['a user-defined piece', [...llamaPieces([]), piece('a', 4)], {}, /of kind 4/],
    ['an end token that is a piece', llamaPieces(['a']), { trainer: { 42: 259 } }, /end-of-text token has the id 259/],
    ['no begin token', llamaPieces(['a']), { trainer: { 41: 2 ** 32 - 1 } }, /begin-of-text token has the id -1/],
  ];
  test.each(cases)('refuses %s', (_, pieces, settings, message) => {
    const bytes = writeSentencePieceModel(pieces, settings);
    expect(() => readSentencePieceModel(bytes, 'some/tokenizer.model')).toThrow(UserError);
    expect(() => readSentencePieceModel(bytes, 'some/tokenizer.model')).toThrow(message);
    expect(() => readSentencePieceModel(bytes, 'some/tokenizer.model')).toThrow(
      /^Reading the tokenizer: some\/tokenizer\.model/,
    );
  });

  test('cut short anywhere, it is either refused by a UserError or a whole smaller message', () => {
    for (let length = 0; length < recorded.length; length += 7) {
      try {
        readSentencePieceModel(recorded.subarray(0, length), 'cut');
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
      }
    }
  });

  test('random bytes, and the model with bytes changed, never end in another error', () => {
    const changed = fc
      .array(fc.tuple(fc.nat(recorded.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
      .map((changes) => {
        const bytes = recorded.slice();
        for (const [at, value] of changes) bytes[at] = value;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), changed), (bytes) => {
        try {
          tokenizerJsonFromSentencePiece(readSentencePieceModel(bytes, 'fuzz'));
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
      { numRuns: 500, seed: 11 },
    );
  });
});

describe('tokenizerJsonFromSentencePiece', () => {
  test('random vocabularies of few letters, rich in repetitions: the library merges as SentencePiece does', () => {
    // Pieces grow by merging two that are there, as training makes them.
    const vocabulary = fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { minLength: 3, maxLength: 25 }).map((pairs) => {
      const texts = ['a', 'b', '\u2581'];
      for (const [i, j] of pairs) {
        const text = `${texts[i % texts.length] ?? ''}${texts[j % texts.length] ?? ''}`;
        if (text.length <= 8 && !texts.includes(text)) texts.push(text);
      }
      return texts;
    });
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'c'), maxLength: 40 });
    fc.assert(
      fc.property(vocabulary, fc.array(text, { minLength: 1, maxLength: 8 }), (texts, samples) => {
        const model = readSentencePieceModel(writeSentencePieceModel(llamaPieces(texts)), 'random');
        const library = new LibraryTokenizer(tokenizerJsonFromSentencePiece(model), {});
        for (const sample of samples) {
          expect(library.encode(sample, { add_special_tokens: false }).ids).toEqual(sentencePieceBpe(model, sample));
        }
      }),
      { numRuns: 300, seed: 5 },
    );
  });
});
