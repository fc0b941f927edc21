import { readFileSync } from 'node:fs';

import { describe, expect, test } from '@jest/globals';

import { type Turn, padBatch, renderConversation, tokenizeConversation } from '../../../src/data/text/conversation.js';
import { validationQuestion } from '../../../src/systems/shared/lisa-prompts.js';
import { readTokenizer } from '../../../src/data/read-tokenizer.js';
import { ADDED_TOKENS } from '../../../src/systems/shared/decision-tokens.js';
import { fixture } from '../../helpers/fixtures.js';

const tokenizer = readTokenizer(fixture('tokenizer'));
tokenizer.addTokens(ADDED_TOKENS);

interface Recorded {
  image: string;
  conversation: string[];
  input_ids: number[][];
  labels: number[][];
}
const read = (...path: string[]): unknown => JSON.parse(readFileSync(fixture('datasets', ...path), 'utf8'));
const styles = ['llava_v1', 'llava_llama_2'] as const;

describe('renderConversation, tokenizeConversation', () => {
  const vqa = read('expected_vqa.json') as Record<(typeof styles)[number], Recorded[]>;
  const source = read('data', 'llava_dataset', 'llava_instruct_150k.json') as { conversations: { value: string }[] }[];

  test.each(styles)("several turns are the reference's, text, ids and labels: %s", (style) => {
    for (const [i, recorded] of vqa[style].entries()) {
      const values = (source[i]?.conversations ?? []).map((sentence) => sentence.value);
      const turns: Turn[] = [];
      for (let j = 0; j + 1 < values.length; j += 2) {
        const user = values[j] ?? '';
        const moved = user.includes('<image>') ? `<image>\n${user.replace('<image>', '').trim()}` : user;
        turns.push({ user: moved, assistant: values[j + 1] ?? '' });
      }
      expect(renderConversation(style, turns)).toBe(recorded.conversation[0]);
      const { inputIds, labels } = tokenizeConversation(tokenizer, style, turns);
      expect(inputIds).toEqual(recorded.input_ids[0]);
      expect(labels).toEqual(recorded.labels[0]);
    }
  });

  test.each(styles)('an answer that begins with [SEG] keeps the space before it: ReasonSeg, %s', (style) => {
    const expected = (read('expected_val.json') as Record<string, Record<string, Recorded[]>>)[style];
    for (const split of ['val', 'test']) {
      for (const recorded of expected?.[`ReasonSeg|${split}`] ?? []) {
        const file = recorded.image.replace('.jpg', '.json');
        const { text, is_sentence } = read('data', file) as { text: string[]; is_sentence: boolean };
        const turns = [{ user: validationQuestion(text[0] ?? '', is_sentence), assistant: '[SEG]' }];
        expect(renderConversation(style, turns)).toBe(recorded.conversation[0]);
        const { inputIds, labels } = tokenizeConversation(tokenizer, style, turns);
        expect(inputIds).toEqual(recorded.input_ids[0]);
        expect(labels).toEqual(recorded.labels[0]);
      }
    }
  });

  test('without an answer, the text is a prompt, and its ids begin those of the answered one', () => {
    const user = '<image>\nCan you segment red bar in this image?';
    for (const style of ['llava_v1', 'llava_llama_2', 'plain'] as const) {
      const prompt = tokenizeConversation(tokenizer, style, [{ user, assistant: null }]);
      const whole = tokenizeConversation(tokenizer, style, [{ user, assistant: 'Sure, red bar:[SEG].' }]);
      expect(prompt.labels.every((label) => label === -100)).toBe(true);
      expect(whole.inputIds.slice(0, prompt.inputIds.length)).toEqual(prompt.inputIds);
      const supervised = whole.labels.filter((label) => label !== -100);
      expect(supervised).toEqual(whole.inputIds.slice(prompt.inputIds.length));
      expect(supervised.at(-1)).toBe(tokenizer.eosId);
      expect(whole.inputIds.filter((id) => id === -200)).toHaveLength(1);
      expect(renderConversation(style, [{ user, assistant: null }])).toMatch(/(ASSISTANT:|\[\/INST\])$/);
    }
  });

  test('the plain style is llava_v1 without the system sentence', () => {
    const turns = [
      { user: '<image>\nq', assistant: 'a' },
      { user: 'r', assistant: 'b' },
    ];
    expect(renderConversation('plain', turns)).toBe(
      'USER: <im_start><image><im_end>\nq ASSISTANT: a</s>USER: r ASSISTANT: b</s>',
    );
  });

  test('maxLength cuts ids and labels alike; wrong use is refused', () => {
    const turns = [{ user: 'red bar?', assistant: 'yes' }];
    const whole = tokenizeConversation(tokenizer, 'plain', turns);
    const cut = tokenizeConversation(tokenizer, 'plain', turns, { maxLength: 9 });
    expect(cut.inputIds).toEqual(whole.inputIds.slice(0, 9));
    expect(cut.labels).toEqual(whole.labels.slice(0, 9));
    expect(() => renderConversation('plain', [])).toThrow(/at least one turn/);
    expect(() => renderConversation('plain', [{ user: 'a', assistant: null }, ...turns])).toThrow(/only the last turn/);
  });
});

describe('padBatch', () => {
  test('pads ids with the given id and labels with -100, on the right', () => {
    const batch = padBatch(
      [
        { inputIds: [1, 2, 3], labels: [-100, 2, 3] },
        { inputIds: [1], labels: [-100] },
      ],
      0,
    );
    expect(batch).toEqual({
      inputIds: Int32Array.of(1, 2, 3, 1, 0, 0),
      labels: Int32Array.of(-100, 2, 3, -100, -100, -100),
      lengths: [3, 1],
      batch: 2,
      time: 3,
    });
    expect(padBatch([], 0)).toMatchObject({ batch: 0, time: 0 });
  });
});
