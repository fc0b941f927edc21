/** The rule against small matrices worked out by hand; ids.test.ts has those that the reference used. */
import { describe, expect, test } from '@jest/globals';

import { MultimodalRows } from '../../../src/networks/multimodal-rows.js';
import { expandedTokens, visibleKeys } from '../../../src/systems/self1e/attention-rule.js';

const IMAGE = 7;
const SEG = 9;
const RULE = { imageContext: IMAGE, seg: SEG };

/** Rows of the matrix as texts, sequence by sequence. */
function rule(...rows: number[][]): string[] {
  const time = rows[0]?.length ?? 0;
  const visible = visibleKeys({ ids: Int32Array.from(rows.flat()), batch: rows.length, time }, RULE);
  expect(visible).toHaveLength(rows.length * time * time);
  return Array.from({ length: rows.length * time }, (_, i) => visible.subarray(i * time, (i + 1) * time).join(''));
}

describe('visibleKeys', () => {
  test('without [SEG]: causal, the padding and "!" (id 0) seen by none, themselves included', () => {
    expect(rule([5, IMAGE, IMAGE, 0, 4, 0])).toEqual(['100000', '110000', '111000', '111000', '111010', '111010']);
  });

  test('with [SEG]: everything sees itself; vision tokens see each other and every [SEG]', () => {
    expect(rule([5, IMAGE, IMAGE, 0, SEG, 3, SEG, 0])).toEqual([
      '10000000',
      '11101010',
      '11101010',
      '11110000',
      '11101000',
      '11101100',
      '11101110',
      '11101111',
    ]);
  });

  test('a row without [SEG] next to one with it stays causal, but sees itself', () => {
    expect(rule([IMAGE, IMAGE, SEG, 0], [IMAGE, IMAGE, 0, 4]).slice(4)).toEqual(['1000', '1100', '1110', '1101']);
    expect(rule([IMAGE, IMAGE, 0, 4])).toEqual(['1000', '1100', '1100', '1101']);
  });
});

test('expandedTokens: the vision tokens in place of the placeholder, padding 0', () => {
  const inputIds = Int32Array.of(5, -200, 0, 3, 6, -200, 0, 0);
  const tokens = { inputIds, labels: null, lengths: [4, 2], batch: 2, time: 4 };
  expect(expandedTokens(new MultimodalRows(tokens, 3), IMAGE)).toEqual({
    ids: Int32Array.of(5, IMAGE, IMAGE, IMAGE, 0, 3, 6, IMAGE, IMAGE, IMAGE, 0, 0),
    batch: 2,
    time: 6,
  });
});
