/** Vocabularies: texts without added tokens ↔ ids. */
import * as library from '@huggingface/tokenizers';
import { messageOf, UserError } from '../../errors.js';
import { BpeEncoder, type BpeTables, SPACE_SYMBOL } from './bpe-encoder.js';
import { PIECE_NORMAL, type SentencePieceModel } from './sentencepiece-model.js';
import type { TokenizerJson } from './tokenizer-files.js';

/** LLaMA's slow vocabulary (SentencePiece with byte fallback), from tokenizer.model or a tokenizer.json made of it. */
export class SentencePieceText {
  private readonly encoder: BpeEncoder;

  private constructor(
    /** All tokens but the added ones, by id. */
    private readonly tokens: readonly string[],
    private readonly tables: BpeTables,
    /** Tokens that no merge makes. */
    private readonly others: ReadonlyMap<string, number>,
  ) {
    this.encoder = new BpeEncoder(tables);
  }

  idOf(token: string): number | undefined {
    return this.tables.pieces.get(token) ?? this.others.get(token);
  }

  tokenOf(id: number): string | undefined {
    return this.tokens[id];
  }

  static fromModel({ pieces }: SentencePieceModel): SentencePieceText {
    const normal = new Map<string, number>();
    const others = new Map<string, number>();
    const orders = new Float64Array(pieces.length);
    const tokens = pieces.map(({ text, kind, score }, id) => {
      (kind === PIECE_NORMAL ? normal : others).set(text, id);
      orders[id] = -score;
      return text;
    });
    const order: BpeTables['order'] = (text, start, _, end) => {
      const union = normal.get(text.slice(start, end));
      return union === undefined ? undefined : orders[union];
    };
    return new SentencePieceText(tokens, { pieces: normal, bytes: byteIds(others), order }, others);
  }

  /** Null where the JSON is of another kind: its merges, its spaces or its bytes are not SentencePiece's. */
  static fromJson({ model, normalizer, pre_tokenizer: splitter }: TokenizerJson): SentencePieceText | null {
    const { vocab, merges } = model;
    const isBpe = model['type'] === 'BPE' && model['byte_fallback'] === true && Array.isArray(merges);
    const isPlain = PLAIN_KEYS.every((key) => isAbsent(model[key]));
    if (!isBpe || !isPlain || Array.isArray(vocab) || !putsSpacesFirst(normalizer, splitter)) return null;
    const ids = new Map(Object.entries(vocab as Readonly<Record<string, number>>));
    if (BYTE_TOKENS.some((token) => !ids.has(token))) return null;
    const tokens: string[] = [];
    for (const [token, id] of ids) tokens[id] = token;
    const orders = new Map<string, number>();
    for (const [i, merge] of (merges as unknown[]).entries()) {
      const pair = typeof merge === 'string' ? merge.split(' ') : merge;
      if (!Array.isArray(pair) || pair.length !== 2) return null;
      const key = `${String(pair[0])} ${String(pair[1])}`;
      if (!orders.has(key)) orders.set(key, i);
    }
    const order: BpeTables['order'] = (text, start, middle, end) =>
      orders.get(`${text.slice(start, middle)} ${text.slice(middle, end)}`);
    return new SentencePieceText(tokens, { pieces: ids, bytes: byteIds(ids), order }, new Map());
  }

  /** @param isPrefixed puts the space in front of the text that SentencePiece's dummy prefix is */
  encode(text: string, isPrefixed: boolean, out: number[]): void {
    if (text === '') return;
    this.encoder.encode((isPrefixed ? SPACE_SYMBOL : '') + text.replaceAll(' ', SPACE_SYMBOL), out);
  }
}

const BYTE_TOKENS = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
/** Parts of a BPE model that SentencePiece has no equal of. */
const PLAIN_KEYS = ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix', 'ignore_merges'];

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === false || value === '';
}

function byteIds(ids: ReadonlyMap<string, number>): number[] {
  return BYTE_TOKENS.map((token) => ids.get(token) as number);
}

/** "▁" in front of a text and in place of spaces, by a normalizer (transformers 4) or by Metaspace (5), and nothing else. */
function putsSpacesFirst(normalizer: unknown, splitter: unknown): boolean {
  if (splitter === null) {
    const steps = Object(normalizer) as { type?: unknown; normalizers?: unknown };
    const wanted = [
      { type: 'Prepend', prepend: SPACE_SYMBOL },
      { type: 'Replace', pattern: { String: ' ' }, content: SPACE_SYMBOL },
    ];
    return steps.type === 'Sequence' && JSON.stringify(steps.normalizers) === JSON.stringify(wanted);
  }
  if (normalizer !== null) return false;
  const space = Object(splitter) as Readonly<Record<string, unknown>>;
  const scheme = space['prepend_scheme'] ?? (space['add_prefix_space'] === false ? 'never' : 'always');
  const isWhole = space['split'] === false;
  return space['type'] === 'Metaspace' && space['replacement'] === SPACE_SYMBOL && scheme !== 'never' && isWhole;
}

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

/** A vocabulary that is not SentencePiece's (byte-level BPE, Unigram, WordPiece), in the hands of @huggingface/tokenizers. */
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
