/**
 * Text ↔ token ids, as LLaMA's slow tokenizer with legacy behaviour does it (transformers' `LlamaTokenizer`, the one
 * that the published GSVA checkpoints were trained with). The tokenization itself is @huggingface/tokenizers', given
 * either the SentencePiece model translated by tokenizer-json.ts or a plain tokenizer.json.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { UserError, messageOf } from '../../errors.js';
import { IMAGE_END_TOKEN, IMAGE_PLACEHOLDER, IMAGE_START_TOKEN, IMAGE_TOKEN_ID } from '../../special-tokens.js';
import { decodeLikeLlama } from './tokenizer-decode.js';
import {
  type AddedTokenFile,
  type SpecialNames,
  readAddedTokens,
  readSpecialNames,
  readTokenizerJson,
} from './tokenizer-files.js';
import {
  type AddedTokenJson,
  type TokenizerJson,
  plainAddedToken,
  tokenizerJsonFromSentencePiece,
  vocabularySize,
} from './tokenizer-json.js';
import { LibraryTokenizer } from './tokenizer-library.js';
import { MAX_MODEL_BYTES, type SentencePieceModel, readSentencePieceModel } from './sentencepiece-model.js';

export interface EncodeOptions {
  /** Put the begin-of-text token first. Default true. */
  readonly addBos?: boolean;
}

export interface DecodeOptions {
  /** Leave out begin, end and unknown tokens and the image markers; [SEG] and [REJ] stay. Default false. */
  readonly skipSpecial?: boolean;
}

/** Added as special tokens by the reference (`special_tokens=True`), so that `skipSpecial` drops them. */
const MARKERS: ReadonlySet<string> = new Set([IMAGE_START_TOKEN, IMAGE_END_TOKEN]);

export class Tokenizer {
  readonly bosId: number;
  readonly eosId: number;
  readonly unkId: number;
  /** The reference pads with the unknown token. */
  readonly padId: number;
  private json: TokenizerJson;
  private library: LibraryTokenizer;
  private size: number;

  private constructor(
    json: TokenizerJson,
    names: SpecialNames,
    private readonly sentencePiece: SentencePieceModel | null,
    private readonly source: string,
  ) {
    this.json = json;
    this.library = this.build(json);
    const idOf = (name: string, what: string): number => {
      const id = this.library.token_to_id(name);
      if (id !== undefined) return id;
      throw new UserError(
        `Reading the tokenizer: ${source} has no ${what} token ${JSON.stringify(name)}. ` +
          'Name the right one in tokenizer_config.json or special_tokens_map.json beside it.',
      );
    };
    this.bosId = idOf(names.bos, 'begin-of-text');
    this.eosId = idOf(names.eos, 'end-of-text');
    this.unkId = idOf(names.unk, 'unknown');
    this.padId = this.unkId;
    this.size = vocabularySize(json);
  }

  /**
   * Reads `tokenizer.model`, or `tokenizer.json` where there is none, and the tokens listed in `added_tokens.json`.
   * @throws UserError where neither file is there or one of them cannot be used.
   */
  static fromDirectory(dir: string): Tokenizer {
    const modelPath = join(dir, 'tokenizer.model');
    const jsonPath = join(dir, 'tokenizer.json');
    const tokenizer = existsSync(modelPath)
      ? Tokenizer.fromSentencePiece(modelPath)
      : existsSync(jsonPath)
        ? new Tokenizer(readTokenizerJson(jsonPath), readSpecialNames(dir), null, jsonPath)
        : null;
    if (tokenizer === null) {
      throw new UserError(
        `Reading the tokenizer: ${dir} has neither tokenizer.model nor tokenizer.json. ` +
          'Point to the folder of a LLaMA or LLaVA checkpoint.',
      );
    }
    tokenizer.addListed(readAddedTokens(dir));
    return tokenizer;
  }

  private static fromSentencePiece(path: string): Tokenizer {
    const model = readSentencePieceModel(readModelFile(path), path);
    const nameOf = (id: number): string => model.pieces[id]?.text ?? '';
    const names = { bos: nameOf(model.bosId), eos: nameOf(model.eosId), unk: nameOf(model.unkId) };
    return new Tokenizer(tokenizerJsonFromSentencePiece(model), names, model, path);
  }

  /** Number of ids, added tokens included: the rows that an embedding needs. */
  get vocabSize(): number {
    return this.size;
  }

  /** Token ids of a text. Added tokens (`[SEG]`, `</s>`, …) are recognised wherever they stand in it. */
  encode(text: string, options: EncodeOptions = {}): number[] {
    const { ids } = this.library.encode(text, { add_special_tokens: false });
    return options.addBos === false ? ids : [this.bosId, ...ids];
  }

  /**
   * Text of token ids, spaced as the reference prints it (a space on either side of an added token). The image's
   * placeholder (-200) reads as `<image>`, an id without a token as the unknown token.
   */
  decode(ids: readonly number[], options: DecodeOptions = {}): string {
    const skip = options.skipSpecial === true;
    const special = new Set(this.json.added_tokens.filter((token) => token.special).map((token) => token.id));
    const kept = skip ? ids.filter((id) => !special.has(id) && id !== IMAGE_TOKEN_ID) : [...ids];
    if (kept.length === 0) return '';
    const unk = this.tokenOf(this.unkId);
    if (this.sentencePiece !== null) {
      const tokens = kept.map((id) =>
        id === IMAGE_TOKEN_ID ? IMAGE_PLACEHOLDER : (this.library.id_to_token(id) ?? unk),
      );
      const standalone = new Set(this.json.added_tokens.filter((t) => !this.isControl(t.id)).map((t) => t.content));
      return decodeLikeLlama(tokens, {
        standalone: standalone.add(IMAGE_PLACEHOLDER),
        control: new Set([this.bosId, this.eosId, this.unkId].map((id) => this.tokenOf(id))),
      });
    }
    // The library has no token for the placeholder: decode what stands between placeholders.
    const parts: number[][] = [[]];
    for (const id of kept) {
      if (id === IMAGE_TOKEN_ID) parts.push([]);
      else parts.at(-1)?.push(this.library.id_to_token(id) === undefined ? this.unkId : id);
    }
    return parts.map((part) => (part.length === 0 ? '' : this.library.decode(part))).join(IMAGE_PLACEHOLDER);
  }

  /** Id of a token by its exact name, added or not. */
  tokenId(token: string): number | undefined {
    return this.library.token_to_id(token);
  }

  /**
   * Makes tokens of these texts, in order: new ones are appended to the vocabulary; one that is a piece of it already
   * keeps its id and is from now on matched as a whole. Returns how many were new.
   */
  addTokens(tokens: readonly string[]): number {
    const before = this.size;
    let next = before;
    const added = [...new Set(tokens)].map((token) => {
      if (token === '') throw new UserError('Adding tokens: a token is an empty text. Give it a name.');
      return plainAddedToken(this.tokenId(token) ?? next++, token, MARKERS.has(token));
    });
    this.extend(added);
    return this.size - before;
  }

  /** Tokens with the ids that a checkpoint's added_tokens.json gives them; they must follow the vocabulary without a gap. */
  private addListed(file: AddedTokenFile): void {
    let next = this.size;
    for (const { content, id } of file.tokens) {
      const expected = this.tokenId(content) ?? next++;
      if (id !== expected) {
        throw new UserError(
          `Reading the tokenizer: ${file.path} gives ${JSON.stringify(content)} the id ${id}, ` +
            `but ${this.source} leaves ${expected} for it. Use the files of one checkpoint together.`,
        );
      }
    }
    this.addTokens(file.tokens.map((token) => token.content));
  }

  /** Hands the library the vocabulary with these tokens in it; it takes them only when it is made. */
  private extend(tokens: readonly AddedTokenJson[]): void {
    const known = new Set(this.json.added_tokens.map((token) => token.content));
    const fresh = tokens.filter((token) => !known.has(token.content));
    if (fresh.length === 0) return;
    const json = { ...this.json, added_tokens: [...this.json.added_tokens, ...fresh] };
    this.library = this.build(json);
    this.json = json;
    this.size = vocabularySize(json);
  }

  private build(json: TokenizerJson): LibraryTokenizer {
    try {
      return new LibraryTokenizer(json, { clean_up_tokenization_spaces: false });
    } catch (error) {
      throw new UserError(
        `Reading the tokenizer: ${this.source} cannot be used (${messageOf(error)}). Copy it again from the checkpoint.`,
      );
    }
  }

  private isControl(id: number): boolean {
    return id === this.bosId || id === this.eosId || id === this.unkId;
  }

  private tokenOf(id: number): string {
    return this.library.id_to_token(id) ?? '';
  }
}

function readModelFile(path: string): Uint8Array {
  try {
    const { size } = statSync(path);
    if (size > MAX_MODEL_BYTES) throw new Error(`it has ${size} bytes, more than any SentencePiece model`);
    return readFileSync(path);
  } catch (error) {
    throw new UserError(
      `Reading the tokenizer: ${path} cannot be read (${messageOf(error)}). Copy it again from the checkpoint.`,
    );
  }
}
