/** A vocabulary that is not SentencePiece's (byte-level BPE, Unigram, WordPiece), in the hands of @huggingface/tokenizers. */
import { UserError, messageOf } from '../../errors.js';
import { type TokenizerJson } from './tokenizer-json.js';
import { LibraryTokenizer } from './tokenizer-library.js';

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
