/** Tokens and markers of GSVA's text, by the names the published checkpoints use. */
export const SEG_TOKEN = '[SEG]';
export const REJ_TOKEN = '[REJ]';
export const IMAGE_START_TOKEN = '<im_start>';
export const IMAGE_END_TOKEN = '<im_end>';
/** Added to LLaMA's vocabulary in this order. */
export const ADDED_TOKENS = [SEG_TOKEN, REJ_TOKEN, IMAGE_START_TOKEN, IMAGE_END_TOKEN] as const;
/** Stands in the text where the image's features are inserted. */
export const IMAGE_PLACEHOLDER = '<image>';
/** Id of IMAGE_PLACEHOLDER in `inputIds`; no row of the embedding. */
export const IMAGE_TOKEN_ID = -200;
/** Label of a position that is not supervised. */
export const IGNORE_LABEL = -100;
/** What no text from outside may contain: a tokenizer would take it for a token with a meaning of its own. */
export const RESERVED_TEXTS: readonly string[] = [...ADDED_TOKENS, IMAGE_PLACEHOLDER, '<s>', '</s>', '<unk>'];
