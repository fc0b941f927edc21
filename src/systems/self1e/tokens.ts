/** Tokens of SELF1E: those that it adds to InternVL's vocabulary, and those of InternVL that its text is made with. */
import type { Tokenizer } from '../../data/text/tokenizer.js';
import { UserError } from '../../errors.js';
import {
  IMAGE_CONTEXT_TOKEN,
  PICTURE_END_TOKEN,
  PICTURE_START_TOKEN,
  TURN_END_TOKEN,
  TURN_START_TOKEN,
} from '../../special-tokens.js';
import { SEG_TOKEN } from '../shared/decision-tokens.js';

/** Never written or read, but published checkpoints have a row for it. */
export const UNUSED_TOKEN = '[SEGT]';

export const SELF1E_TOKENS = { added: [SEG_TOKEN, UNUSED_TOKEN], addedTokenSpaces: 'kept' } as const;

/** Ids by meaning; `unused` is that of [SEGT]. */
export interface Self1eIds {
  readonly seg: number;
  readonly unused: number;
  readonly imageContext: number;
  readonly pictureStart: number;
  readonly pictureEnd: number;
  readonly turnStart: number;
  readonly turnEnd: number;
}

/**
 * Adds SELF1E's tokens to a tokenizer and looks up all that its text needs.
 * @param source folder of the tokenizer, for errors
 * @throws UserError where the tokenizer lacks a token of InternVL's
 */
export function addSelf1eTokens(tokenizer: Tokenizer, source: string): Self1eIds {
  const own = [PICTURE_START_TOKEN, PICTURE_END_TOKEN, IMAGE_CONTEXT_TOKEN, TURN_START_TOKEN, TURN_END_TOKEN];
  const missing = own.filter((token) => tokenizer.tokenId(token) === undefined);
  if (missing.length > 0) {
    throw new UserError(
      `Reading the tokenizer of ${source} for SELF1E: expected InternVL's tokens ${own.join(' ')}, found none for ` +
        `${missing.join(' ')}. Use the tokenizer files of an InternVL3 or SELF1E checkpoint.`,
    );
  }
  tokenizer.addTokens(SELF1E_TOKENS.added);
  const idOf = (token: string): number => tokenizer.tokenId(token) as number;
  return {
    seg: idOf(SEG_TOKEN),
    unused: idOf(UNUSED_TOKEN),
    imageContext: idOf(IMAGE_CONTEXT_TOKEN),
    pictureStart: idOf(PICTURE_START_TOKEN),
    pictureEnd: idOf(PICTURE_END_TOKEN),
    turnStart: idOf(TURN_START_TOKEN),
    turnEnd: idOf(TURN_END_TOKEN),
  };
}
