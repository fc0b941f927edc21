/**
 * What @huggingface/tokenizers takes (the content of a tokenizer.json), made from a SentencePiece model.
 *
 * LLaMA's slow tokenizer with legacy behaviour first splits the text at added tokens, then gives each part to
 * SentencePiece, which puts "▁" in front of it. Here: added tokens are matched in the raw text (`normalized: false`, no
 * stripping), and the normalizer, run on each part between them, prepends "▁" and replaces spaces by it.
 *
 * SentencePiece's BPE merges the neighbours whose union has the highest score, leftmost first; a merge list does the
 * same when it holds, from the highest score down, every way to cut a piece into two symbols.
 */
import { PIECE_NORMAL, type SentencePieceModel } from './sentencepiece-model.js';

/** One entry of `added_tokens`. */
export interface AddedTokenJson {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly normalized: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly single_word: boolean;
}

/** The parts of a tokenizer.json that the library insists on; the rest is passed through. */
export interface TokenizerJson {
  readonly added_tokens: readonly AddedTokenJson[];
  readonly normalizer: unknown;
  readonly pre_tokenizer: unknown;
  readonly post_processor: unknown;
  readonly decoder: unknown;
  readonly model: { readonly vocab: object; readonly [key: string]: unknown };
}

/** "▁" (U+2581), SentencePiece's visible space. */
export const SPACE_SYMBOL = '\u2581';

/** An added token as LLaMA's slow tokenizer has it: matched as it stands, spaces around it untouched. */
export function plainAddedToken(id: number, content: string, special: boolean): AddedTokenJson {
  return { id, content, special, normalized: false, lstrip: false, rstrip: false, single_word: false };
}

export function tokenizerJsonFromSentencePiece(model: SentencePieceModel): TokenizerJson {
  const special = [model.unkId, model.bosId, model.eosId];
  return {
    added_tokens: special.map((id) => plainAddedToken(id, model.pieces[id]?.text ?? '', true)),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: SPACE_SYMBOL },
        { type: 'Replace', pattern: { String: ' ' }, content: SPACE_SYMBOL },
      ],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: SPACE_SYMBOL }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      unk_token: model.pieces[model.unkId]?.text,
      byte_fallback: true,
      fuse_unk: true,
      vocab: Object.fromEntries(model.pieces.map((piece, id) => [piece.text, id])),
      merges: mergesOf(model),
    },
  };
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

/**
 * Pairs of symbols that merge into a piece, best first. A symbol is a normal piece or any single character: those that
 * are no piece can take part in a merge too, and become bytes only if they are left over.
 */
function mergesOf(model: SentencePieceModel): [string, string][] {
  const byScore = model.pieces.filter((piece) => piece.kind === PIECE_NORMAL).sort((a, b) => b.score - a.score);
  const normal = new Set(byScore.map((piece) => piece.text));
  const isSymbol = (text: string): boolean => normal.has(text) || text.length === characterLength(text);
  const merges: [string, string][] = [];
  for (const { text } of byScore) {
    for (let cut = characterLength(text); cut < text.length; cut += characterLength(text, cut)) {
      const left = text.slice(0, cut);
      const right = text.slice(cut);
      if (isSymbol(left) && isSymbol(right)) merges.push([left, right]);
    }
  }
  return merges;
}

/** UTF-16 units of the character at `index`: 2 beyond the basic plane. */
function characterLength(text: string, index = 0): number {
  return (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
}
