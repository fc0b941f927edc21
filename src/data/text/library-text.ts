/** A vocabulary that is not SentencePiece's (byte-level BPE, Unigram, WordPiece), in the hands of @huggingface/tokenizers. */
import * as library from '@huggingface/tokenizers';
import { messageOf, UserError } from '../../errors.js';
import type { TokenizerJson } from './tokenizer-files.js';

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

export class LibraryText {
  private readonly library: LibraryTokenizer;

  /** @param source the file, for errors @throws UserError where the library does not take it */
  constructor(json: TokenizerJson, source: string) {
    try {
      this.library = new LibraryTokenizer(json, { clean_up_tokenization_spaces: false });
    } catch (error) {
      throw new UserError(
        `Reading the tokenizer: ${source} cannot be used (${messageOf(error)}). Copy it again from the checkpoint.`,
      );
    }
  }

  /** Appends the ids of a text that has no added token in it. */
  encode(text: string, out: number[]): void {
    for (const id of this.library.encode(text, { add_special_tokens: false }).ids) out.push(id);
  }

  /** @param ids all of them known */
  decode(ids: readonly number[]): string {
    return ids.length === 0 ? '' : this.library.decode(ids);
  }

  idOf(token: string): number | undefined {
    return this.library.token_to_id(token);
  }

  tokenOf(id: number): string | undefined {
    return this.library.id_to_token(id);
  }
}
