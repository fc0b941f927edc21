/**
 * Asking without ground truth: the form of the answer is given, the decisions are the model's. "Sure,red circle:" is
 * put in its mouth, [SEG] or [REJ] is read and appended, then ", green bar:" and so on, over one KV cache. What it
 * decides for one expression is what it has said when it decides the next, as when it writes freely.
 */
import { segIdAt, segIds } from '../config.js';
import type { TokenizedConversation } from '../data/text/conversation.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import type { Abortable } from '../abortable.js';
import type { EncodedImage } from '../features/image-features.js';
import { IGNORE_LABEL } from '../special-tokens.js';
import { DecodingSession } from './decoding-session.js';
import type { MaskLogits } from './draw-masks.js';
import { masksOfStates } from './generate.js';
import type { Opening } from './opening.js';
import { readNextToken, type TokenAnswer } from './token-decision.js';

export interface AskedDecision {
  readonly answer: TokenAnswer;
  readonly rejectProbability: number;
  /** Null after [REJ]. */
  readonly mask: MaskLogits | null;
}

export interface AskOptions {
  /** [REJ] from this probability on. */
  readonly rejectThreshold: number;
  /** The opening that a scene's questions share; null to read all of it. */
  readonly opening?: Opening | null;
  /** Heard after every layer. */
  readonly signal?: Abortable | undefined;
}

/**
 * @param conversation question and answer with [SEG] (or [REJ]) wherever the model is to decide
 * @returns one decision per [SEG] or [REJ] of the answer
 * @throws the signal's reason when it is aborted; nothing stays allocated then
 */
export async function ask(
  gsva: LlavaSam,
  image: EncodedImage,
  { inputIds, labels }: TokenizedConversation,
  { rejectThreshold, opening = null, signal }: AskOptions,
): Promise<AskedDecision[]> {
  const { tokens } = gsva.config;
  const places = [...segIds(tokens), tokens.rej];
  const decided: { answer: TokenAnswer; rejectProbability: number; state: Float32Array }[] = [];
  const begun = opening === null ? null : await opening.of(inputIds, signal);
  const session = new DecodingSession(gsva, image, begun);
  try {
    let unread: number[] = [];
    for (const [t, id] of inputIds.entries()) {
      if (t < (begun?.ids.length ?? 0)) continue;
      const isPlace = places.includes(id) && labels[t] !== IGNORE_LABEL;
      if (!isPlace) {
        unread.push(id);
        continue;
      }
      const { logits, state } = await session.feed(unread, signal);
      const { rejectProbability } = readNextToken(logits, tokens);
      const answer = rejectProbability >= rejectThreshold ? 'rej' : 'seg';
      unread = [answer === 'rej' ? tokens.rej : segIdAt(decided.length, tokens)];
      decided.push({ answer, rejectProbability, state });
    }
  } finally {
    session.dispose();
  }
  const states = decided.filter(({ answer }) => answer === 'seg').map(({ state }) => state);
  const masks = await masksOfStates(gsva, image, states, signal);
  return decided.map(({ answer, rejectProbability }) => {
    return { answer, rejectProbability, mask: answer === 'seg' ? (masks.shift() ?? null) : null };
  });
}
