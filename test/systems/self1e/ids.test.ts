/** Ids, labels, positions and attention matrices of SELF1E's recorded model (self1e-tiny), from its conversations. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';

import { padBatch, tokenizeConversation, tokenizeQuestion } from '../../../src/data/text/conversation.js';
import { readTokenizer } from '../../../src/data/read-tokenizer.js';
import { readSafetensors } from '../../../src/io/safetensors/safetensors.js';
import { MultimodalRows } from '../../../src/networks/multimodal-rows.js';
import { chatTurn } from '../../../src/systems/shared/lisa-prompts.js';
import { expandedTokens, visibleKeys } from '../../../src/systems/self1e/attention-rule.js';
import { Self1eDialogue } from '../../../src/systems/self1e/dialogue.js';
import { addSelf1eTokens, SELF1E_TOKENS } from '../../../src/systems/self1e/tokens.js';
import { recordedTurns } from '../../../src/verification/datasets-recorded.js';
import { fixture, sharedFixture } from '../../helpers/fixtures.js';

const STYLE = 'internvl2_5';
const TOKENIZER = fixture('self1e-tokenizer');
const tokenizer = readTokenizer(TOKENIZER, SELF1E_TOKENS);
const ids = addSelf1eTokens(tokenizer, TOKENIZER);
const folder = sharedFixture('self1e-tiny');
/** Vision tokens of a tile. */
const PER_TILE = 16;

interface Batch {
  conversations: string[];
}
interface Case {
  batch: Batch;
  batch_b: Batch;
  vqa: Batch;
  eval: Record<string, { images: { tensors: string; conversations: string[] }[] }>;
  extra: { four_tiles: Batch; two_seg: Batch };
  chat: { question: string; tiles: number; answer: string }[];
}

function compareRecorded(path: string): void {
  const recorded = JSON.parse(readFileSync(`${path}/case.json`, 'utf8')) as Case;
  const { tensors } = readSafetensors(`${path}/case.safetensors`);
  const integers = (name: string): number[] | null => {
    const tensor = tensors.get(name);
    return tensor === undefined ? null : Array.from(tensor.data as Int32Array, Number);
  };

  test.each([
    ['', recorded.batch, 1],
    ['b.', recorded.batch_b, 1],
    ['vqa.', recorded.vqa, 2],
    ['eval.0.', Object.values(recorded.eval)[0]?.images[0], 1],
    ['extra.four_tiles.', recorded.extra.four_tiles, 4],
    ['extra.two_seg.', recorded.extra.two_seg, 1],
  ])('batch "%s": ids, labels, positions, and what each token sees', (prefix, batch, tiles) => {
    const turns = (batch?.conversations ?? []).map((text) => recordedTurns(STYLE, text));
    const list = turns.map((each) => tokenizeConversation(tokenizer, STYLE, each));
    const rows = new MultimodalRows(padBatch(list, tokenizer.padId), tiles * PER_TILE);
    const expanded = expandedTokens(rows, ids.imageContext);
    expect([...expanded.ids]).toEqual(integers(`${prefix}input_ids`));
    const visible = visibleKeys(expanded, ids);
    expect(visible.join('')).toBe(integers(`${prefix}attends`)?.join(''));

    const labels = integers(`${prefix}labels`);
    if (labels === null) return;
    const { positions, targets } = rows.supervised();
    const supervised = [...labels.keys()].filter((i) => labels[i] !== -100);
    expect([...positions]).toEqual(supervised.map((i) => i - 1));
    expect([...targets]).toEqual(supervised.map((i) => labels[i]));
  });

  test('chat: prompt and printed answer', () => {
    const dialogue = new Self1eDialogue();
    for (const [i, { question, tiles, answer }] of recorded.chat.entries()) {
      const prompt = tokenizeQuestion(tokenizer, STYLE, chatTurn(question, true), true);
      const tokens = {
        inputIds: Int32Array.from(prompt),
        labels: null,
        lengths: [prompt.length],
        batch: 1,
        time: prompt.length,
      };
      const rows = new MultimodalRows(tokens, tiles * PER_TILE);
      expect([...expandedTokens(rows, ids.imageContext).ids]).toEqual(integers(`chat.${i}.input_ids`));
      expect(dialogue.chat.shown(tokenizer, integers(`chat.${i}.new_ids`) ?? [])).toBe(answer);
    }
  });
}

if (folder === null) test.skip('self1e-tiny is not at hand', () => undefined);
else {
  describe('self1e-tiny', () => {
    compareRecorded(folder);
  });
}
