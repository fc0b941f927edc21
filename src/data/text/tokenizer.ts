/**
 * Text ↔ token ids as LLaMA's slow legacy tokenizer (transformers 4.44.2): text is cut at added tokens, each part is
 * SentencePiece's. Other vocabularies are read by way of @huggingface/tokenizers.
 */
import { UserError } from '../../errors.js';
import { IMAGE_END_TOKEN, IMAGE_PLACEHOLDER, IMAGE_START_TOKEN, IMAGE_TOKEN_ID } from '../../special-tokens.js';
import { AddedTokens, decodeLikeLlama } from './slow-tokenizer.js';
import {
  type AddedTokenJson,
  type AddedTokenList,
  type NamedFiles,
  plainAddedToken,
  readAddedTokens,
  readByteLevelFiles,
  readNamed,
  readSettings,
  readTokenizerJson,
  type TokenizerJson,
  type TokenizerSettings,
  vocabularySize,
} from './tokenizer-files.js';
import { LibraryText, SentencePieceText } from './vocabulary-text.js';
import { MAX_MODEL_BYTES, readSentencePieceModel, type SentencePieceModel } from './sentencepiece-model.js';

export interface TokenizerOptions {
  /**
   * White space next to added tokens: 'kept' by transformers 4.37 and later, 'stripped' by 4.31; a model needs that of
   * its training, which its files do not record. Begin, end and unknown token keep their neighbours either way.
   */
  readonly addedTokenSpaces?: 'kept' | 'stripped';
}

export interface EncodeOptions {
  /** Put the begin-of-text token first. Default true, where the tokenizer has one and its files do not say otherwise. */
  readonly addBos?: boolean;
}

export interface DecodeOptions {
  /** Leave out begin, end, unknown and other named special tokens and the image markers; [SEG] stays. Default false. */
  readonly skipSpecial?: boolean;
}

interface Parts {
  readonly text: SentencePieceText | LibraryText;
  /** Ids of the vocabulary, without what is added to it later. */
  readonly size: number;
  readonly added: readonly AddedTokenJson[];
  readonly settings: TokenizerSettings;
  /** The file, for errors. */
  readonly source: string;
}

/** Added as special tokens by the reference (`special_tokens=True`), so that `skipSpecial` drops them. */
const MARKERS: ReadonlySet<string> = new Set([IMAGE_START_TOKEN, IMAGE_END_TOKEN]);

export class Tokenizer {
  private readonly bos: number | null;
  private readonly eos: number | null;
  private readonly unk: number | null;
  private readonly added: AddedTokens;
  /** Added tokens that stand between spaces in a decoded text. */
  private readonly standalone = new Set([IMAGE_PLACEHOLDER]);
  private readonly control: ReadonlySet<string>;
  private size: number;

  private constructor(
    private readonly parts: Parts,
    { addedTokenSpaces }: TokenizerOptions,
  ) {
    const { settings, source } = parts;
    this.size = parts.size;
    this.added = new AddedTokens(({ content }) => addedTokenSpaces === 'stripped' && !this.control.has(content));
    for (const token of parts.added) this.added.add(token);
    const idOf = (name: string | null | undefined, usual: string, what: string): number | null => {
      if (name === null) return null;
      const id = this.tokenId(name ?? usual);
      if (id !== undefined) return id;
      throw new UserError(
        `Reading the tokenizer: ${source} has no ${what} token ${JSON.stringify(name ?? usual)}. ` +
          'Name the right one in tokenizer_config.json or special_tokens_map.json next to it.',
      );
    };
    this.bos = idOf(settings.bos, '<s>', 'begin-of-text');
    this.eos = idOf(settings.eos, '</s>', 'end-of-text');
    this.unk = idOf(settings.unk, '<unk>', 'unknown');
    const control = [this.bos, this.eos, this.unk].flatMap((id) => (id === null ? [] : [this.tokenOf(id) ?? '']));
    this.control = new Set(control);
    for (const { content } of parts.added) if (!this.control.has(content)) this.standalone.add(content);
  }

  /**
   * From tokenizer.model, else tokenizer.json, else vocab.json and merges.txt, and all added tokens that are listed.
   * @throws UserError where none exists, one cannot be used, or two contradict each other
   */
  static fromFiles(files: NamedFiles, options: TokenizerOptions = {}): Tokenizer {
    const settings = readSettings(files);
    const lists = readAddedTokens(files, settings.special);
    const [jsonPath, modelPath] = [files.path('tokenizer.json'), files.path('tokenizer.model')];
    const json = readTokenizerJson(files);
    const bytes = readNamed(files, 'tokenizer.model', MAX_MODEL_BYTES);
    let parts: Parts;
    if (bytes !== null) {
      const model = readSentencePieceModel(bytes, modelPath);
      if (json !== null) {
        refuseOtherVocabulary(json, jsonPath, model, modelPath);
        lists.push({ path: jsonPath, tokens: [...json.added_tokens].sort((a, b) => a.id - b.id) });
      }
      parts = partsOfModel(model, settings, modelPath);
    } else if (json !== null) parts = partsOfJson(json, settings, jsonPath);
    else {
      const byteLevel = readByteLevelFiles(files);
      if (byteLevel === null) {
        throw new UserError(
          `Reading the tokenizer: ${files.folder} has neither tokenizer.model nor tokenizer.json. ` +
            'Point to the folder of a LLaMA or LLaVA checkpoint.',
        );
      }
      parts = partsOfJson(byteLevel.json, settings, byteLevel.path, lists);
    }
    return new Tokenizer(parts, options).withListed(lists);
  }

  /** @throws UserError where there is none */
  get bosId(): number {
    return this.bos ?? this.lacks('begin-of-text', 'bos_token');
  }

  /** @throws UserError where there is none */
  get eosId(): number {
    return this.eos ?? this.lacks('end-of-text', 'eos_token');
  }

  /** @throws UserError where there is none */
  get unkId(): number {
    return this.unk ?? this.lacks('unknown', 'unk_token');
  }

  /** Id behind the shorter texts of a batch: the unknown token, or 0 where there is none. */
  get padId(): number {
    return this.unk ?? 0;
  }

  /** Number of ids, added tokens included: the rows that an embedding needs. */
  get vocabSize(): number {
    return this.size;
  }

  /** Token ids of a text. Added tokens (`[SEG]`, `</s>`, …) are recognised wherever they stand in it. */
  encode(text: string, options: EncodeOptions = {}): number[] {
    const { text: vocabulary, settings } = this.parts;
    const ids: number[] = [];
    if (this.bos !== null && (options.addBos ?? settings.addBos)) ids.push(this.bos);
    this.added.split(text).forEach((part, i) => {
      if (typeof part !== 'string') ids.push(part.id);
      else if (vocabulary instanceof LibraryText) vocabulary.encode(part, ids);
      else vocabulary.encode(part, settings.legacy || i === 0, ids);
    });
    return ids;
  }

  /** Text of ids, spaced as the reference prints it; -200 reads as `<image>`, an unknown id as the unknown token. */
  decode(ids: readonly number[], options: DecodeOptions = {}): string {
    const kept = options.skipSpecial === true ? ids.filter((id) => !this.isSkipped(id)) : ids;
    const { text } = this.parts;
    if (!(text instanceof LibraryText)) {
      const tokens = kept.map((id) => this.tokenOrUnknown(id));
      return tokens.length === 0 ? '' : decodeLikeLlama(tokens, this.standalone, this.control);
    }
    // The library knows neither the placeholder nor tokens that were added later: it decodes what stands between them.
    const parts: string[] = [];
    let pending: number[] = [];
    for (const id of kept) {
      if (text.tokenOf(id) !== undefined) pending.push(id);
      else {
        parts.push(text.decode(pending), this.tokenOrUnknown(id));
        pending = [];
      }
    }
    return parts.join('') + text.decode(pending);
  }

  /** As the slow tokenizer does it: a token that is flagged as special alone, such as InternVL's `<img>`, stays. */
  private isSkipped(id: number): boolean {
    if (id === IMAGE_TOKEN_ID) return true;
    const token = this.added.at(id);
    if (token?.special !== true) return false;
    const named = this.parts.settings.special;
    return [named, this.control, MARKERS].some((set) => set.has(token.content)) || named.size === 0;
  }

  /** Id of a token by its exact name, added or not. */
  tokenId(token: string): number | undefined {
    return this.added.get(token)?.id ?? this.parts.text.idOf(token);
  }

  /** Appends new tokens; a piece of the vocabulary keeps its id, matched as a whole. @returns how many were new */
  addTokens(tokens: readonly string[]): number {
    const before = this.size;
    for (const token of tokens) {
      if (token === '') throw new UserError('Adding tokens: a token is an empty text. Give it a name.');
      this.add(plainAddedToken(this.tokenId(token) ?? this.size, token, MARKERS.has(token)));
    }
    return this.size - before;
  }

  private add(token: AddedTokenJson): void {
    this.added.add(token);
    if (!this.control.has(token.content)) this.standalone.add(token.content);
    this.size = Math.max(this.size, token.id + 1);
  }

  /** Tokens with the ids that files next to the vocabulary list; they must follow it without a gap. */
  private withListed(lists: readonly AddedTokenList[]): this {
    const places = new Map<string, { readonly path: string; readonly token: AddedTokenJson }>();
    for (const { path, tokens } of lists) {
      for (const token of tokens) {
        const other = places.get(token.content);
        if (other === undefined) places.set(token.content, { path, token });
        else if (other.token.id !== token.id) throw contradiction(token, path, other.path, `the id ${other.token.id}`);
      }
    }
    for (const { path, token } of [...places.values()].sort((a, b) => a.token.id - b.token.id)) {
      const expected = this.tokenId(token.content) ?? this.size;
      if (token.id !== expected) throw contradiction(token, path, this.parts.source, `${expected} for it`);
      this.add(token);
    }
    return this;
  }

  private tokenOf(id: number): string | undefined {
    return this.added.at(id)?.content ?? this.parts.text.tokenOf(id);
  }

  private tokenOrUnknown(id: number): string {
    if (id === IMAGE_TOKEN_ID) return IMAGE_PLACEHOLDER;
    return this.tokenOf(id) ?? (this.unk === null ? '' : (this.tokenOf(this.unk) ?? ''));
  }

  private lacks(what: string, key: string): never {
    throw new UserError(
      `The tokenizer ${this.parts.source} has no ${what} token ("${key}" is null in the files next to it), which the prompts ` +
        `need. Use a tokenizer of LLaMA's, or name the token that stands for it in tokenizer_config.json.`,
    );
  }
}

/** The model names its begin, end and unknown piece; the files next to it may name others, or none. */
function partsOfModel(model: SentencePieceModel, settings: TokenizerSettings, source: string): Parts {
  const { pieces, unkId, bosId, eosId } = model;
  const own = [unkId, bosId, eosId].map((id) => plainAddedToken(id, pieces[id]?.text ?? '', true));
  // Null stays: there is none then.
  const { unk = own[0]?.content, bos = own[1]?.content, eos = own[2]?.content } = settings;
  const text = SentencePieceText.fromModel(model);
  return { text, size: pieces.length, added: own, settings: { ...settings, bos, eos, unk }, source };
}

/** @param lists of tokens that the library needs to know, since nothing else names them */
function partsOfJson(
  json: TokenizerJson,
  settings: TokenizerSettings,
  source: string,
  lists: readonly AddedTokenList[] = [],
): Parts {
  const added = [...json.added_tokens, ...lists.flatMap(({ tokens }) => tokens)];
  const text = SentencePieceText.fromJson(json) ?? new LibraryText(json, source);
  return { text, size: vocabularySize({ ...json, added_tokens: added }), added, settings, source };
}

function contradiction({ content, id }: AddedTokenJson, path: string, other: string, otherwise: string): UserError {
  const verb = otherwise.endsWith('for it') ? 'leaves' : 'gives it';
  return new UserError(
    `Reading the tokenizer: ${path} gives ${JSON.stringify(content)} the id ${id}, ` +
      `but ${other} ${verb} ${otherwise}. Use the files of one checkpoint together.`,
  );
}

/** Refused, because either vocabulary could be the one that the model was trained with. */
function refuseOtherVocabulary(json: TokenizerJson, jsonPath: string, model: SentencePieceModel, path: string): void {
  const { vocab } = json.model;
  const ids = new Map<string, unknown>(
    Array.isArray(vocab)
      ? (vocab as unknown[]).map((entry, id) => [String((entry as unknown[])[0]), id])
      : Object.entries(vocab),
  );
  const size = model.pieces.length;
  const differs = model.pieces.findIndex(({ text }, id) => ids.get(text) !== id);
  if (differs < 0 && ids.size === size) return;
  const what =
    differs < 0
      ? `it has ${ids.size} tokens, ${path} ${size}`
      : `${JSON.stringify(model.pieces[differs]?.text)} is ${JSON.stringify(ids.get(model.pieces[differs]?.text ?? '') ?? null)} there and ${differs} in ${path}`;
  throw new UserError(
    `Reading the tokenizer: ${jsonPath} is of another vocabulary: ${what}. Keep the file that the model was trained with, ` +
      'and remove the other.',
  );
}
