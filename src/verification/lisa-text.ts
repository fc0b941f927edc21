/**
 * Verifies LISA's texts against a recording (text.json): question and answer forms, token ids and supervised spans of
 * training, validation and chat in both conversation styles, and padded batches. Where the datasets that the recording
 * was made from are present, the conversations are also made from their facts (lisa-datasets.ts).
 */
import type { JsonPlace } from '../data/annotation-files.js';
import { readTokenizer } from '../data/read-tokenizer.js';
import { padBatch, renderConversation, tokenizeConversation } from '../data/text/conversation.js';
import type { ConversationStyle } from '../data/text/conversation.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import { IGNORE_LABEL, IMAGE_PLACEHOLDER, IMAGE_START_TOKEN, IMAGE_TOKEN_ID } from '../special-tokens.js';
import { MAX_TRAINING_TOKENS } from '../systems/lisa/system.js';
import { LISA_TOKENS } from '../systems/shared/decision-tokens.js';
import {
  ANSWERS,
  chatTurn,
  EXPLANATION_REQUESTS,
  LONG_QUESTIONS,
  SHORT_QUESTIONS,
  withImage,
} from '../systems/shared/lisa-prompts.js';
import { numbers, openRecorded, RECORDED_STYLES, recordedTurns, texts } from './datasets-recorded.js';
import { verifyLisaDatasets } from './lisa-datasets.js';
import { itemsOf, Mismatches, type VerifyItem } from './verify-item.js';

/**
 * @param tokenizerDir tokenizer of the recording
 * @param dataDir datasets of the recording; null: they are not at hand
 * @throws UserError where a file or a part of it is missing
 */
export async function verifyLisaText(dir: string, tokenizerDir: string, dataDir: string | null): Promise<VerifyItem[]> {
  const root = openRecorded("LISA's recorded texts", dir, 'text.json', 'Use the recorded folder lisa-text.');
  const tokenizer = openLisaTokenizer(tokenizerDir);
  return [
    verifyLists(root, tokenizer),
    ...RECORDED_STYLES.flatMap((style) => verifyConversations(root, style, tokenizer)),
    ...RECORDED_STYLES.map((style) => verifyChat(root, style, tokenizer)),
    ...RECORDED_STYLES.map((style) => verifyBatches(root, style, tokenizer)),
    ...(dataDir === null ? [] : await verifyLisaDatasets(root, dataDir)),
  ];
}

/** A tokenizer as LISA opens it. */
export function openLisaTokenizer(dir: string): Tokenizer {
  const { added, addedTokenSpaces } = LISA_TOKENS;
  const tokenizer = readTokenizer(dir, { addedTokenSpaces });
  tokenizer.addTokens(added);
  return tokenizer;
}

function verifyLists(root: JsonPlace, tokenizer: Tokenizer): VerifyItem {
  const mismatches = new Mismatches('LISA: tokens, questions and answers');
  for (const [token, id] of root.key('tokens').entries()) {
    mismatches.compare(token, tokenizer.tokenId(token) ?? 'none', id.integer());
  }
  mismatches.compare('the image', IMAGE_TOKEN_ID, root.key('image').integer());
  mismatches.compare('what is not supervised', IGNORE_LABEL, root.key('ignored').integer());
  const lists = {
    short_question: SHORT_QUESTIONS.map((text) => withImage(text.replace('{}', '{class_name}'))),
    long_question: LONG_QUESTIONS.map((text) => withImage(text.replace('{}', '{sent}'))),
    explanatory_question: EXPLANATION_REQUESTS,
    answer: ANSWERS,
  };
  for (const [name, list] of Object.entries(lists)) {
    mismatches.compare(name, list.join('\n'), texts(root.key('lists').key(name)).join('\n'));
  }
  return mismatches.item();
}

/** Text, ids and supervised spans of all templates, training and validation conversations. */
function verifyConversations(root: JsonPlace, style: ConversationStyle, tokenizer: Tokenizer): VerifyItem[] {
  const rendered = new Mismatches(`LISA, ${style}: text`);
  const ids = new Mismatches(`LISA, ${style}: ids and supervised spans`);
  const validation = root.key('validation').key(style).entries();
  const groups = [
    root.key('templates').key(style),
    ...root.key('training').key(style).array(),
    ...validation.flatMap(([, split]) => split.array()),
  ];
  for (const group of groups) {
    for (const [i, text] of texts(group.key('conversations')).entries()) {
      const turns = recordedTurns(style, text);
      const found = tokenizeConversation(tokenizer, style, turns);
      const recordedIds = numbers(at(group, 'input_ids', i));
      const spans = at(group, 'supervised', i).array().map(numbers);
      const isSupervised = (n: number): boolean => spans.some(([from = 0, to = 0]) => n >= from && n < to);
      const labels = recordedIds.map((id, n) => (isSupervised(n) ? id : IGNORE_LABEL));
      rendered.compare(text, renderConversation(style, turns), text);
      ids.compare(`ids of ${text}`, found.inputIds, recordedIds);
      ids.compare(`labels of ${text}`, found.labels, labels);
    }
  }
  return itemsOf(rendered, ids);
}

function verifyChat(root: JsonPlace, style: ConversationStyle, tokenizer: Tokenizer): VerifyItem {
  const mismatches = new Mismatches(`LISA, ${style}: chat prompts and ids`);
  for (const entry of root.key('chat').key(style).array()) {
    const turns = [chatTurn(entry.key('question').string(), true)];
    const prompt = entry.key('prompt').string();
    const { inputIds } = tokenizeConversation(tokenizer, style, turns);
    mismatches.compare(prompt, renderConversation(style, turns), prompt);
    mismatches.compare(`ids of ${prompt}`, inputIds, numbers(entry.key('input_ids')));
  }
  return mismatches.item();
}

/** Padded batches: "cut_…" with the limit of training, the others without; "without_start_end" without image markers. */
function verifyBatches(root: JsonPlace, style: ConversationStyle, tokenizer: Tokenizer): VerifyItem {
  const mismatches = new Mismatches(`LISA, ${style}: padded batches`);
  for (const [name, batch] of root.key('batches').key(style).entries()) {
    const maxLength = name.startsWith('cut') ? MAX_TRAINING_TOKENS : undefined;
    const conversations = texts(batch.key('conversations'));
    const rows = conversations.map((text) => tokenizeRecorded(tokenizer, style, text, maxLength));
    const { inputIds, labels, lengths, time } = padBatch(rows, tokenizer.padId);
    const mask = lengths.map((length) => Array.from({ length: time }, (_, i) => Number(i < length)));
    mismatches.compare(`ids of ${name}`, inputIds, matrix(batch.key('input_ids')));
    mismatches.compare(`labels of ${name}`, labels, matrix(batch.key('labels')));
    mismatches.compare(`mask of ${name}`, mask.flat(), matrix(batch.key('attention_mask')));
  }
  return mismatches.item();
}

/** Ids and labels of a recorded text, which may lack the markers that conversations always have here. */
export function tokenizeRecorded(tokenizer: Tokenizer, style: ConversationStyle, text: string, maxLength?: number) {
  const turns = recordedTurns(style, text);
  if (text.includes(IMAGE_START_TOKEN)) {
    return tokenizeConversation(tokenizer, style, turns, maxLength === undefined ? {} : { maxLength });
  }
  const encode = (part: string): number[] => {
    const pieces = part.split(IMAGE_PLACEHOLDER).map((piece) => tokenizer.encode(piece, { addBos: false }));
    return pieces.flatMap((ids, i) => [i === 0 ? tokenizer.bosId : IMAGE_TOKEN_ID, ...ids]);
  };
  const inputIds = encode(text);
  const asked = encode(text.slice(0, text.lastIndexOf(turns.at(-1)?.assistant ?? '')).trimEnd()).length;
  return { inputIds, labels: inputIds.map((id, i) => (i < asked ? IGNORE_LABEL : id)) };
}

function matrix(rows: JsonPlace): number[] {
  return rows.array().flatMap(numbers);
}

function at(group: JsonPlace, key: string, index: number): JsonPlace {
  const item = group.key(key).array()[index];
  if (item === undefined) return group.key(key).fail(`a list of more than ${index}`);
  return item;
}
