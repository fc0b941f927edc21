/**
 * SentencePiece's BPE written out plainly (bpe_model.cc): the pair of neighbours whose union has the highest score is
 * merged, the leftmost of equals, until no union is a piece; what is no piece becomes bytes. Slow, for comparison only.
 */
import { PIECE_NORMAL, type SentencePieceModel } from '../../src/data/text/sentencepiece-model.js';

export function sentencePieceBpe(model: SentencePieceModel, text: string): number[] {
  if (text === '') return [];
  const scores = new Map<string, number>();
  const ids = new Map<string, number>();
  for (const [id, piece] of model.pieces.entries()) {
    ids.set(piece.text, id);
    if (piece.kind === PIECE_NORMAL) scores.set(piece.text, piece.score);
  }
  const symbols = Array.from(`\u2581${text.replaceAll(' ', '\u2581')}`);
  for (;;) {
    let best = -1;
    let bestScore = -Infinity;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const score = scores.get(`${symbols[i] ?? ''}${symbols[i + 1] ?? ''}`);
      if (score !== undefined && score > bestScore) {
        best = i;
        bestScore = score;
      }
    }
    if (best < 0) break;
    symbols.splice(best, 2, `${symbols[best] ?? ''}${symbols[best + 1] ?? ''}`);
  }
  return symbols.flatMap((symbol) => {
    const id = scores.has(symbol) ? ids.get(symbol) : undefined;
    if (id !== undefined) return [id];
    return [...new TextEncoder().encode(symbol)].map(
      (byte) => ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`) ?? model.unkId,
    );
  });
}
