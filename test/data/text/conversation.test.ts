import { readFileSync } from 'node:fs';

import { describe, expect, test } from '@jest/globals';

import {
  type Turn,
  padBatch,
  renderConversation,
  tokenizeConversation,
  tokenizeQuestion,
} from '../../../src/data/text/conversation.js';
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

describe("InternVL's style", () => {
  const internVl = readTokenizer(fixture('self1e-tokenizer'));
  const idOf = (token: string): number => internVl.tokenId(token) as number;
  const turns = [
    { user: '<image>\nHow many?', assistant: 'There are 3.' },
    { user: 'Which is red?', assistant: 'The bar' },
  ];
  const { inputIds, labels } = tokenizeConversation(internVl, 'internvl2_5', turns);

  test('turns between markers, the system turn in front, no begin token', () => {
    expect(renderConversation('internvl2_5', turns)).toBe(
      '<|im_start|>system\nYou are an helpful assistant.<|im_end|>\n' +
        '<|im_start|>user\n<img><image></img>\nHow many?<|im_end|>\n<|im_start|>assistant\nThere are 3.<|im_end|>\n' +
        '<|im_start|>user\nWhich is red?<|im_end|>\n<|im_start|>assistant\nThe bar<|im_end|>\n',
    );
    expect(inputIds[0]).toBe(idOf('<|im_start|>'));
    const picture = inputIds.indexOf(-200);
    expect([inputIds[picture - 1], inputIds[picture + 1]]).toEqual([idOf('<img>'), idOf('</img>')]);
    expect(inputIds.lastIndexOf(-200)).toBe(picture);
  });

  test('answers are supervised with the token that ends them, and not the line break behind it', () => {
    const supervised = labels.filter((label) => label !== -100);
    expect(internVl.decode(supervised)).toBe('There are 3.<|im_end|>The bar<|im_end|>');
    expect(labels.at(-1)).toBe(-100);
    expect(inputIds.at(-1)).toBe(idOf('Ċ'));
    expect(labels.every((label, i) => label === -100 || label === inputIds[i])).toBe(true);
    // An empty answer still ends.
    const empty = tokenizeConversation(internVl, 'internvl2_5', [{ user: 'a', assistant: '' }]);
    expect(empty.labels.filter((label) => label !== -100)).toEqual([idOf('<|im_end|>')]);
  });

  test('a question behind earlier rounds goes on where an answer has just ended', () => {
    const [first, second] = turns as [Turn, Turn];
    const opened = tokenizeQuestion(internVl, 'internvl2_5', first, true);
    const answer = internVl.encode('There are 3.<|im_end|>');
    const ids = [...opened, ...answer, ...tokenizeQuestion(internVl, 'internvl2_5', second, false)];
    const open = tokenizeConversation(internVl, 'internvl2_5', [first, { ...second, assistant: null }]);
    expect(ids).toEqual(open.inputIds);
    expect(ids).toEqual(inputIds.slice(0, ids.length));
  });

  test('maxLength counts the picture as one token', () => {
    const cut = tokenizeConversation(internVl, 'internvl2_5', turns, { maxLength: 20 });
    expect(cut.inputIds).toEqual(inputIds.slice(0, 20));
    expect(cut.labels).toEqual(labels.slice(0, 20));
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
