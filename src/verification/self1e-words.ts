/** Conversations of SELF1E as its recordings have them: `<image>` in the text, <IMG_CONTEXT> in the ids. */
import {
  type ConversationStyle,
  renderConversation,
  tokenizeConversation,
  type TokenizedConversation,
  type Turn,
} from '../data/text/conversation.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import {
  IGNORE_LABEL,
  IMAGE_PLACEHOLDER,
  IMAGE_TOKEN_ID,
  PICTURE_END_TOKEN,
  PICTURE_START_TOKEN,
} from '../special-tokens.js';
import type { Self1eIds } from '../systems/self1e/tokens.js';
import { recordedTurns } from './datasets-recorded.js';

export const SELF1E_STYLE: ConversationStyle = 'internvl2_5';

/** Text of a conversation before its picture gets markers. */
export function textOf(turns: readonly Turn[]): string {
  const marked = PICTURE_START_TOKEN + IMAGE_PLACEHOLDER + PICTURE_END_TOKEN;
  return turns.length === 0 ? '' : renderConversation(SELF1E_STYLE, turns).replaceAll(marked, IMAGE_PLACEHOLDER);
}

/** Questions and answers of a recorded text. */
export function turnsOf(text: string): Turn[] {
  return recordedTurns(SELF1E_STYLE, text);
}

/**
 * Ids and labels with vision tokens in place.
 * @param count vision tokens of the picture @param maxLength of the whole row, vision tokens included
 */
export function expandedRow(
  tokenizer: Tokenizer,
  turns: readonly Turn[],
  count: number,
  { imageContext }: Self1eIds,
  maxLength?: number,
): TokenizedConversation {
  const options = maxLength === undefined ? {} : { maxLength: maxLength - (count - 1) };
  const { inputIds, labels } = tokenizeConversation(tokenizer, SELF1E_STYLE, turns, options);
  const isPicture = (i: number): boolean => inputIds[i] === IMAGE_TOKEN_ID;
  return {
    inputIds: inputIds.flatMap((id, i) => (isPicture(i) ? Array<number>(count).fill(imageContext) : [id])),
    labels: labels.flatMap((label, i) => (isPicture(i) ? Array<number>(count).fill(IGNORE_LABEL) : [label])),
  };
}
