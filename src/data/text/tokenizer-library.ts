/** @huggingface/tokenizers with the types that we use; its own declarations do not resolve for ES modules. */
import * as library from '@huggingface/tokenizers';

export interface LibraryTokenizer {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  /** @throws Error for an empty list. */
  decode(ids: readonly number[]): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
}

type LibraryTokenizerClass = new (tokenizer: object, config: object) => LibraryTokenizer;

/** Takes the content of a tokenizer.json and of a tokenizer_config.json. */
export const LibraryTokenizer: LibraryTokenizerClass = (library as unknown as { Tokenizer: LibraryTokenizerClass })
  .Tokenizer;
