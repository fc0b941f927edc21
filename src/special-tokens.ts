/** Markers of a conversation about a picture, and the texts that no question may contain. */
export const IMAGE_START_TOKEN = '<im_start>';
export const IMAGE_END_TOKEN = '<im_end>';
/** Markers of turns (ChatML), and of a picture within one (InternVL). */
export const TURN_START_TOKEN = '<|im_start|>';
export const TURN_END_TOKEN = '<|im_end|>';
export const PICTURE_START_TOKEN = '<img>';
export const PICTURE_END_TOKEN = '</img>';
/** Token of InternVL's vocabulary that stands for one vision token. */
export const IMAGE_CONTEXT_TOKEN = '<IMG_CONTEXT>';
/** Stands in the text where the image's features are inserted. */
export const IMAGE_PLACEHOLDER = '<image>';
/** Id of IMAGE_PLACEHOLDER in `inputIds`; no row of the embedding. */
export const IMAGE_TOKEN_ID = -200;
/** Label of a position that is not supervised. */
export const IGNORE_LABEL = -100;
/**
 * Texts that a tokenizer would take for a token with a meaning of its own: those of every system, because a data set is
 * read for all of them (test/systems/registry.test.ts compares).
 */
export const RESERVED_TEXTS: readonly string[] = [
  '[SEG]',
  '[REJ]',
  IMAGE_START_TOKEN,
  IMAGE_END_TOKEN,
  ...[1, 2, 3, 4, 5, 6, 7].map((n) => `[SEG00${n}]`),
  IMAGE_PLACEHOLDER,
  '<s>',
  '</s>',
  '<unk>',
  '[SEGT]',
  TURN_START_TOKEN,
  TURN_END_TOKEN,
  PICTURE_START_TOKEN,
  PICTURE_END_TOKEN,
  IMAGE_CONTEXT_TOKEN,
  '<|endoftext|>',
];
