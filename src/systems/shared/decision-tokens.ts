/** Tokens that GSVA and LISA add to LLaMA's vocabulary, by the names the published checkpoints use. */
import { IMAGE_END_TOKEN, IMAGE_START_TOKEN } from '../../special-tokens.js';

export const SEG_TOKEN = '[SEG]';
export const REJ_TOKEN = '[REJ]';
/** GSVA's, in this order. */
export const ADDED_TOKENS = [SEG_TOKEN, REJ_TOKEN, IMAGE_START_TOKEN, IMAGE_END_TOKEN] as const;
/**
 * With individual embeddings (paper, Table 10) [SEG] is the first token, the paper's [SEG000], and these are the others.
 */
export const MORE_SEG_TOKENS = [1, 2, 3, 4, 5, 6, 7].map((n) => `[SEG00${n}]`);

/** Additions to the vocabulary of a model by its number of [SEG]. */
export function addedTokens(segTokens: number): readonly string[] {
  return [...ADDED_TOKENS, ...MORE_SEG_TOKENS.slice(0, segTokens - 1)];
}

/** The [SEG] of the expression at a place of the question. */
export function segTokenAt(place: number, segTokens: number): string {
  return [SEG_TOKEN, ...MORE_SEG_TOKENS][place % segTokens] ?? SEG_TOKEN;
}
