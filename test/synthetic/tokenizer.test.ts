/** The benchmark's tokenizer: what the small model has to tell apart is one piece each. */
import { describe, expect, test } from '@jest/globals';

import { RELATIONS, SIDES } from '../../src/synthetic/expressions.js';
import { COLOURS, SHAPES } from '../../src/synthetic/shapes.js';
import { readTokenizer } from '../../src/data/read-tokenizer.js';

const tokenizer = readTokenizer('configs/tokenizers/synth');

const WORDS = [
  ...COLOURS,
  ...SHAPES,
  ...SHAPES.map((shape) => `${shape}s`),
  'shape',
  'shapes',
  ...SIDES,
  ...RELATIONS.flatMap((relation) => relation.split(' ')),
  ...['both', 'all', 'and', 'the', 'no'],
  ...['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'],
];

describe('configs/tokenizers/synth', () => {
  test.each([...new Set(WORDS)])('"%s" is one piece, alone and inside a sentence', (word) => {
    expect(tokenizer.encode(word, { addBos: false })).toHaveLength(1);
    const [before, after] = ['red', 'circle'].map((text) => tokenizer.encode(text, { addBos: false }));
    expect(tokenizer.encode(`red ${word} circle`, { addBos: false })).toEqual([
      ...(before ?? []),
      ...tokenizer.encode(word, { addBos: false }),
      ...(after ?? []),
    ]);
  });

  test('a place is its column, then its row: the same two pieces wherever they are combined', () => {
    const ids = (text: string): number[] => tokenizer.encode(text, { addBos: false });
    for (const column of 'abcdefgh') {
      for (const row of '12345678') {
        expect(ids(`${column}${row}`)).toHaveLength(2);
        expect(ids(`${column}${row}`)[0]).toBe(ids(`${column}1`)[0]);
        expect(ids(`${column}${row}`)[1]).toBe(ids(`a${row}`)[1]);
      }
    }
  });
});
