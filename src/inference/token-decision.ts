/** The decision that GSVA adds to a segmenting LLM: is the next token [SEG] or [REJ]? */
import { segIds, type TokenIds } from '../config.js';

export type TokenAnswer = 'seg' | 'rej';

/** What the logits at one position say. */
export interface NextToken {
  /** The most probable token. */
  readonly argmax: number;
  /** Probability of [REJ] against [SEG]: the softmax over these alone. */
  readonly rejectProbability: number;
}

/** @param logits [V] of one position, finite (whoever reads them from the engine sees to it) */
export function readNextToken(logits: Float32Array, tokens: TokenIds): NextToken {
  let argmax = 0;
  for (let id = 1; id < logits.length; id++) {
    if ((logits[id] as number) > (logits[argmax] as number)) argmax = id;
  }
  const rejection = logits[tokens.rej] as number;
  const odds = segIds(tokens).reduce((sum, seg) => sum + Math.exp((logits[seg] as number) - rejection), 0);
  return { argmax, rejectProbability: 1 / (1 + odds) };
}

/**
 * The reference's reading of a teacher-forced answer: where the given answer has [REJ], anything but [REJ] counts as
 * [SEG]; where it has [SEG], anything but [SEG] counts as [REJ].
 */
export function forcedDecision(argmax: number, given: number, tokens: TokenIds): TokenAnswer {
  if (given === tokens.rej) return argmax === tokens.rej ? 'rej' : 'seg';
  return segIds(tokens).includes(argmax) ? 'seg' : 'rej';
}
