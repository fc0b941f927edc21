/**
 * The tokenizer.json that transformers 4 makes of a SentencePiece model: a normalizer puts "▁" first, and the merges hold,
 * from the highest score down, every way to cut a piece into two symbols.
 */
import { SPACE_SYMBOL, characterLength } from '../../src/data/text/bpe-encoder.js';
import { PIECE_NORMAL, type SentencePieceModel } from '../../src/data/text/sentencepiece-model.js';
import { type TokenizerJson, plainAddedToken } from '../../src/data/text/tokenizer-files.js';

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
