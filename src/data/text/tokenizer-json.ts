/** The content of a tokenizer.json, as far as it is read. */

export interface AddedTokenJson {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly normalized: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly single_word: boolean;
}

/** The parts that the library insists on; the rest is passed through. */
export interface TokenizerJson {
  readonly added_tokens: readonly AddedTokenJson[];
  readonly normalizer: unknown;
  readonly pre_tokenizer: unknown;
  readonly post_processor: unknown;
  readonly decoder: unknown;
  readonly model: { readonly vocab: object; readonly [key: string]: unknown };
}

/** An added token as LLaMA's slow tokenizer has it: matched as it stands, spaces around it untouched. */
export function plainAddedToken(id: number, content: string, special: boolean): AddedTokenJson {
  return { id, content, special, normalized: false, lstrip: false, rstrip: false, single_word: false };
}

/** One more than the largest id in use: the rows that an embedding needs. */
export function vocabularySize(json: TokenizerJson): number {
  const { vocab } = json.model;
  let size = Array.isArray(vocab) ? vocab.length : 0;
  // Unigram models list [piece, score] by id; all others map pieces to ids.
  for (const id of Array.isArray(vocab) ? [] : Object.values(vocab))
    if (typeof id === 'number') size = Math.max(size, id + 1);
  for (const { id } of json.added_tokens) size = Math.max(size, id + 1);
  return size;
}
