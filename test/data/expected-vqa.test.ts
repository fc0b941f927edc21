import { readFileSync } from 'node:fs';

import { describe, expect, test } from '@jest/globals';

import { renderConversation, tokenizeConversation } from '../../src/data/conversation.js';
import { LlavaInstruct } from '../../src/data/llava-instruct.js';
import { Tokenizer } from '../../src/data/tokenizer.js';
import { turnsOf } from '../../src/data/vqa-sample.js';
import { ADDED_TOKENS } from '../../src/special-tokens.js';
import { fixture } from '../helpers/fixtures.js';

const tokenizer = Tokenizer.fromDirectory(fixture('tokenizer'));
tokenizer.addTokens(ADDED_TOKENS);

interface Recorded {
  conversation: string[];
  input_ids: number[][];
  labels: number[][];
}
const expected = JSON.parse(readFileSync(fixture('datasets', 'expected_vqa.json'), 'utf8')) as Record<
  'llava_v1' | 'llava_llama_2',
  Recorded[]
>;

describe('recorded LLaVA-Instruct-150K: text, ids and labels', () => {
  const set = LlavaInstruct.open(fixture('datasets', 'data'));

  test.each(['llava_v1', 'llava_llama_2'] as const)('%s', (style) => {
    const found = Array.from({ length: set.length }, (_, i) => {
      const turns = turnsOf(set.requestAt(i));
      const { inputIds, labels } = tokenizeConversation(tokenizer, style, turns);
      return { conversation: [renderConversation(style, turns)], input_ids: [inputIds], labels: [labels] };
    });
    expect(found).toEqual(expected[style]);
  });
});
