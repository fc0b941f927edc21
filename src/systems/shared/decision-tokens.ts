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

/** Stands for a picture's features, 256 times, in the text of the first LISA. */
export const IMAGE_PATCH_TOKEN = '<im_patch>';
/** The published models have the ids of transformers 4.31, which strips white space next to added tokens. */
export const LISA_TOKENS = {
  added: [SEG_TOKEN, IMAGE_START_TOKEN, IMAGE_END_TOKEN],
  addedTokenSpaces: 'stripped',
} as const;
/** Those of the first LISA (v0). */
export const LISA_V0_TOKENS = {
  ...LISA_TOKENS,
  added: [SEG_TOKEN, IMAGE_PATCH_TOKEN, IMAGE_START_TOKEN, IMAGE_END_TOKEN],
} as const;
