/** Texts of SELF1E's recording as our tokenizer reads them, with the model that answers them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readTokenizer } from '../data/read-tokenizer.js';
import type { TokenizedConversation } from '../data/text/conversation.js';
import { tokenizeConversation, tokenizeQuestion } from '../data/text/conversation.js';
import { UserError } from '../errors.js';
import { Predictor } from '../inference/predictor.js';
import type { JsonReader } from '../io/json/json-reader.js';
import type { Self1e } from '../systems/self1e/model.js';
import { system } from '../systems/self1e/system.js';
import { addSelf1eTokens, SELF1E_TOKENS } from '../systems/self1e/tokens.js';
import type { Self1eCase } from './self1e-case.js';
import { evaluatedPictures, extraRows } from './self1e-layouts.js';
import { SELF1E_STYLE, turnsOf } from './self1e-words.js';
import { itemsOf, Mismatches, type VerifyItem } from './verify-item.js';

/** Folder next to the recording. */
const TOKENIZER = 'self1e-tokenizer';

/** The model with its tokenizer. @throws UserError where that is missing or gives other ids than the recording has */
export function recordedPredictor(network: Self1e, recorded: Self1eCase): Predictor {
  const dir = join(recorded.dir, '..', TOKENIZER);
  if (!existsSync(dir)) {
    throw new UserError(`Verifying with ${recorded.dir}: its tokenizer, ${dir}, is missing. Copy that folder as well.`);
  }
  const tokenizer = readTokenizer(dir, SELF1E_TOKENS);
  const ids = addSelf1eTokens(tokenizer, dir);
  const { seg, imageContext } = recorded.config.tokens;
  if (ids.seg !== seg || ids.imageContext !== imageContext) {
    throw new UserError(
      `Verifying with ${recorded.dir}: [SEG] and <IMG_CONTEXT> are ${seg} and ${imageContext} in config.json, but ` +
        `${ids.seg} and ${ids.imageContext} in ${dir}. Use the tokenizer of the recording.`,
    );
  }
  return new Predictor(system, network, tokenizer, SELF1E_STYLE);
}

/** Ids and labels of a recorded conversation's text. */
export function tokenized(predictor: Predictor, text: string): TokenizedConversation {
  return tokenizeConversation(predictor.asking.tokenizer, SELF1E_STYLE, turnsOf(text));
}

/** Ids of a question up to where the answer begins. */
export function askedIds({ asking: { tokenizer, dialogue } }: Predictor, question: string): readonly number[] {
  return tokenizeQuestion(tokenizer, SELF1E_STYLE, dialogue.chat.turn(question, true), true);
}

/** Ids and labels of all recorded rows, made from their texts. */
export function textItems(predictor: Predictor, recorded: Self1eCase): VerifyItem[] {
  const ids = new Mismatches('input_ids: ids of the recorded texts');
  const labels = new Mismatches('labels: which tokens are supervised');
  for (const [prefix, texts] of recordedTexts(recorded)) {
    const has = (name: string): boolean => recorded.tensors.names.includes(prefix + name);
    if (!has('input_ids')) continue;
    const { shape, data } = recorded.tensors.get(`${prefix}input_ids`);
    const [batch = 0, time = 0] = shape;
    const given = has('labels') ? recorded.tensors.get(`${prefix}labels`).data : null;
    ids.compare(`rows of ${prefix}input_ids`, texts.length, batch);
    for (const [row, text] of texts.entries()) {
      const range = [row * time, (row + 1) * time] as const;
      const expected = recorded.collapsed(data.subarray(...range), given?.subarray(...range) ?? null);
      const found = tokenized(predictor, text);
      ids.compare(`${prefix}input_ids, row ${row}`, found.inputIds, expected.inputIds);
      if (given !== null) labels.compare(`${prefix}labels, row ${row}`, found.labels, expected.labels);
    }
  }
  return itemsOf(ids, labels);
}

function recordedTexts({ json, layouts }: Self1eCase): [prefix: string, texts: string[]][] {
  const places = new Map<string, JsonReader>();
  for (const prefix of layouts.keys()) {
    const batch = prefix === '' ? 'batch' : `batch_${prefix.slice(0, -1)}`;
    const place = prefix === 'vqa.' ? json.optional('vqa') : json.optional(batch);
    if (place !== null) places.set(prefix, place);
  }
  for (const place of evaluatedPictures(json)) places.set(`${place.key('tensors').string()}.`, place);
  for (const [name, place] of extraRows(json)) places.set(`extra.${name}.`, place);
  return [...places].map(([prefix, place]) => [prefix, conversationsOf(place)]);
}

export function conversationsOf(place: JsonReader): string[] {
  return place
    .key('conversations')
    .array()
    .map((text) => text.string());
}
