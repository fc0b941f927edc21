/**
 * Asking without ground truth: the form of the answer is given, the decisions are the model's. "Sure,red circle:" is
 * put in its mouth, [SEG] or [REJ] is read and appended, then ", green bar:" and so on, over one KV cache. What it
 * decides for one expression is what it has said when it decides the next, as when it writes freely.
 */
import type { TokenizedConversation } from '../data/text/conversation.js';
import type { Gsva } from '../model/gsva.js';
import type { EncodedImage } from '../model/image-features.js';
import { IGNORE_LABEL } from '../special-tokens.js';
import { DecodingSession } from './decoding-session.js';
import type { MaskLogits } from './draw-masks.js';
import { masksOfStates } from './generate.js';
import { readNextToken, type TokenAnswer } from './token-decision.js';

export interface AskedDecision {
  readonly answer: TokenAnswer;
  readonly rejectProbability: number;
  /** Null after [REJ]. */
  readonly mask: MaskLogits | null;
}

/**
 * @param conversation question and answer with [SEG] (or [REJ]) wherever the model is to decide
 * @param rejectThreshold [REJ] from this probability on
 * @returns one decision per [SEG] or [REJ] of the answer
 */
export async function ask(
  gsva: Gsva,
  image: EncodedImage,
  { inputIds, labels }: TokenizedConversation,
  rejectThreshold: number,
): Promise<AskedDecision[]> {
  const { seg, rej } = gsva.config.tokens;
  const decided: { answer: TokenAnswer; rejectProbability: number; state: Float32Array }[] = [];
  const session = new DecodingSession(gsva, image);
  try {
    let unread: number[] = [];
    for (const [t, id] of inputIds.entries()) {
      const isPlace = (id === seg || id === rej) && labels[t] !== IGNORE_LABEL;
      if (!isPlace) {
        unread.push(id);
        continue;
      }
      const { logits, state } = await session.feed(unread);
      const { rejectProbability } = readNextToken(logits, gsva.config.tokens);
      const answer = rejectProbability >= rejectThreshold ? 'rej' : 'seg';
      decided.push({ answer, rejectProbability, state });
      unread = [answer === 'rej' ? rej : seg];
    }
  } finally {
    session.dispose();
  }
  const states = decided.filter(({ answer }) => answer === 'seg').map(({ state }) => state);
  const masks = await masksOfStates(gsva, image, states);
  return decided.map(({ answer, rejectProbability }) => {
    return { answer, rejectProbability, mask: answer === 'seg' ? (masks.shift() ?? null) : null };
  });
}
