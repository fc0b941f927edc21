/** Tokens and markers of GSVA's text, by the names the published checkpoints use. */
export const SEG_TOKEN = '[SEG]';
export const REJ_TOKEN = '[REJ]';
export const IMAGE_START_TOKEN = '<im_start>';
export const IMAGE_END_TOKEN = '<im_end>';
/** Added to LLaMA's vocabulary in this order. */
export const ADDED_TOKENS = [SEG_TOKEN, REJ_TOKEN, IMAGE_START_TOKEN, IMAGE_END_TOKEN] as const;
/**
 * With individual embeddings (paper, Table 10) [SEG] is the first token, the paper's [SEG000], and these are the others.
 */
export const MORE_SEG_TOKENS = [1, 2, 3, 4, 5, 6, 7].map((n) => `[SEG00${n}]`);

/** What is added to the vocabulary of a model with so many [SEG]. */
export function addedTokens(segTokens: number): readonly string[] {
  return [...ADDED_TOKENS, ...MORE_SEG_TOKENS.slice(0, segTokens - 1)];
}

/** The [SEG] of the expression at a place of the question. */
export function segTokenAt(place: number, segTokens: number): string {
  return [SEG_TOKEN, ...MORE_SEG_TOKENS][place % segTokens] ?? SEG_TOKEN;
}

/** Stands in the text where the image's features are inserted. */
export const IMAGE_PLACEHOLDER = '<image>';
/** Id of IMAGE_PLACEHOLDER in `inputIds`; no row of the embedding. */
export const IMAGE_TOKEN_ID = -200;
/** Label of a position that is not supervised. */
export const IGNORE_LABEL = -100;
/** What no text from outside may contain: a tokenizer would take it for a token with a meaning of its own. */
export const RESERVED_TEXTS: readonly string[] = [
  ...ADDED_TOKENS,
  ...MORE_SEG_TOKENS,
  IMAGE_PLACEHOLDER,
  '<s>',
  '</s>',
  '<unk>',
];
