/** Token ids of LISA's recordings of a whole model and of published files, and the text that its chat program prints. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';

import { padBatch, renderConversation, tokenizeConversation } from '../../../src/data/text/conversation.js';
import { readSafetensors, type StoredTensor } from '../../../src/io/safetensors/safetensors.js';
import { LisaDialogue, printedAnswer } from '../../../src/systems/lisa/dialogue.js';
import { chatTurn } from '../../../src/systems/shared/lisa-prompts.js';
import { recordedTurns } from '../../../src/verification/datasets-recorded.js';
import { openLisaTokenizer, tokenizeRecorded } from '../../../src/verification/lisa-text.js';
import { fixture } from '../../helpers/fixtures.js';

const STYLE = 'llava_v1';
const tokenizer = openLisaTokenizer(fixture('checkpoints-tiny-lisa', 'lisa'));

function json(...path: string[]): unknown {
  return JSON.parse(readFileSync(fixture(...path), 'utf8'));
}

function integers(tensors: ReadonlyMap<string, StoredTensor>, name: string): number[] {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`${name} is missing`);
  return Array.from(tensor.data as Int32Array, Number);
}

describe('lisa-tiny', () => {
  interface Case {
    batch_a: { conversations: string[] };
    batch_b: { conversations: string[] };
    val: { start_end: boolean; conversations: string[] }[];
    evaluate: { question: string; prompt: string; new_ids: number[] }[];
  }
  const recorded = json('lisa-tiny', 'case.json') as Case;
  const { tensors } = readSafetensors(fixture('lisa-tiny', 'case.safetensors'));
  const batchOf = (texts: readonly string[]): ReturnType<typeof padBatch> => {
    const rows = texts.map((text) => tokenizeConversation(tokenizer, STYLE, recordedTurns(STYLE, text)));
    return padBatch(rows, tokenizer.padId);
  };

  test.each([
    ['', recorded.batch_a],
    ['b.', recorded.batch_b],
  ])('training batch "%s": ids, labels and mask', (prefix, { conversations }) => {
    const { inputIds, labels, lengths, time } = batchOf(conversations);
    expect([...inputIds]).toEqual(integers(tensors, `${prefix}input_ids`));
    expect([...labels]).toEqual(integers(tensors, `${prefix}labels`));
    const mask = lengths.flatMap((length) => Array.from({ length: time }, (_, i) => Number(i < length)));
    expect(mask).toEqual(integers(tensors, `${prefix}attention_mask`));
  });

  const marked = recorded.val.filter((each) => each.start_end);
  test.each(marked.map((each, i) => [i, each.conversations] as const))('validation %d', (i, conversations) => {
    expect([...batchOf(conversations).inputIds]).toEqual(integers(tensors, `val.${i}.input_ids`));
    const turns = conversations.flatMap((text) => recordedTurns(STYLE, text));
    const isSentence = i === 1;
    const texts = turns.map(({ user }) => (isSentence ? SENTENCE : PHRASE).exec(user)?.[1] ?? '');
    const form = isSentence ? 'reason-sentence' : 'reference';
    const asked = new LisaDialogue().exam(texts, [], form);
    expect(asked.map(({ turn }) => turn)).toEqual(turns);
  });

  test('validation without image markers', () => {
    const [text = ''] = recorded.val[2]?.conversations ?? [];
    expect(tokenizeRecorded(tokenizer, STYLE, text).inputIds).toEqual(integers(tensors, 'val.2.input_ids'));
  });

  test.each(recorded.evaluate.map((each, i) => [i, each] as const))(
    'chat prompt %d',
    (i, { question, prompt, new_ids }) => {
      const turns = [chatTurn(question, true)];
      expect(renderConversation(STYLE, turns)).toBe(prompt);
      const { inputIds } = tokenizeConversation(tokenizer, STYLE, turns);
      expect(inputIds).toEqual(integers(tensors, `evaluate.${i}.prompt_ids`));
      expect([...inputIds, ...new_ids]).toEqual(integers(tensors, `evaluate.${i}.output_ids`));
    },
  );
});

const PHRASE = /^<image>\n What is (.*) in this image\? Please output segmentation mask\.$/;
const SENTENCE = /^<image>\n (.*) Please output segmentation mask\.$/;

describe('checkpoints-tiny-lisa', () => {
  const { chat } = json('checkpoints-tiny-lisa', 'expected.json') as {
    chat: { question: string; prompt: string; printed: string }[];
  };
  const { tensors } = readSafetensors(fixture('checkpoints-tiny-lisa', 'expected.safetensors'));

  test.each(chat.map((each, i) => [i, each] as const))('chat %d: prompt, ids and printed text', (i, run) => {
    const turns = [chatTurn(run.question, true)];
    expect(renderConversation(STYLE, turns)).toBe(run.prompt);
    const { inputIds } = tokenizeConversation(tokenizer, STYLE, turns);
    expect(inputIds).toEqual(integers(tensors, `chat.${i}.input_ids`));
    const output = integers(tensors, `chat.${i}.output_ids`);
    expect(output.slice(0, inputIds.length)).toEqual(inputIds);
    // The space in front is Python's, between the two things that are printed.
    expect(` ${printedAnswer(tokenizer, output)}`).toBe(run.printed);
  });
});
