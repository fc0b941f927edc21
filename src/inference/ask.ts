/**
 * Asking without ground truth: the form of the answer is given, the decisions are the model's. It is given "Sure,red
 * circle:", its decision is read and appended, then ", green bar:" and so on, over one KV cache. Each decision is made
 * after those before it, as when it writes freely.
 */
import type { Abortable } from '../abortable.js';
import type { TokenizedConversation } from '../data/text/conversation.js';
import type { EncodedImage } from '../features/image-features.js';
import { IGNORE_LABEL } from '../special-tokens.js';
import type { Answer, GroundingModel, Vocabulary } from '../systems/system.js';
import { DecodingSession } from './decoding-session.js';
import { type MaskLogits, withMasks } from './draw-masks.js';
import type { Opening } from './opening.js';
import { decisionOf, readNextToken, tokenOf } from './token-decision.js';

export interface AskedDecision {
  readonly answer: Answer;
  readonly rejectProbability: number;
  /** Null where it is absent. */
  readonly mask: MaskLogits | null;
}

export interface AskOptions {
  /** Absent from this probability on. */
  readonly rejectThreshold: number;
  /** The opening that a scene's questions share; null to read all of it. */
  readonly opening?: Opening | null;
  /** Heard after every layer. */
  readonly signal?: Abortable | undefined;
}

/**
 * @param conversation question and answer with any decision wherever the model is to decide
 * @returns one decision per decision of the answer
 * @throws the signal's reason when it is aborted; nothing stays allocated then
 */
export async function ask(
  network: GroundingModel,
  vocabulary: Vocabulary,
  image: EncodedImage,
  { inputIds, labels }: TokenizedConversation,
  { rejectThreshold, opening = null, signal }: AskOptions,
): Promise<AskedDecision[]> {
  const decided: { answer: Answer; rejectProbability: number; state: Float32Array }[] = [];
  const begun = opening === null ? null : await opening.of(inputIds, signal);
  const session = new DecodingSession(network, image, begun);
  try {
    let unread: number[] = [];
    for (const [t, id] of inputIds.entries()) {
      if (t < (begun?.ids.length ?? 0)) continue;
      const isPlace = decisionOf(id, vocabulary) !== null && labels[t] !== IGNORE_LABEL;
      if (!isPlace) {
        unread.push(id);
        continue;
      }
      const { logits, state } = await session.feed(unread, signal);
      const { rejectProbability } = readNextToken(logits, vocabulary);
      const isAbsent = vocabulary.absent.length > 0 && rejectProbability >= rejectThreshold;
      const answer = isAbsent ? 'absent' : 'found';
      unread = [tokenOf(answer, decided.length, vocabulary)];
      decided.push({ answer, rejectProbability, state });
    }
  } finally {
    session.dispose();
  }
  return withMasks(network, image, decided, signal);
}
