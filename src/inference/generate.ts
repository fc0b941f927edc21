/** Greedy decoding: the model writes its answer token by token, and what it decides to be found becomes a mask. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Abortable } from '../abortable.js';
import type { EncodedImage } from '../features/image-features.js';
import type { Answer, GroundingModel, Vocabulary } from '../systems/system.js';
import { DecodingSession } from './decoding-session.js';
import { type MaskLogits, withMasks } from './draw-masks.js';
import type { Opening } from './opening.js';
import { decisionOf, readNextToken, tokenOf } from './token-decision.js';

export interface GenerateOptions {
  /** New tokens at most. */
  readonly maxTokens: number;
  /**
   * Where the model is about to write a decision: absent from this probability on. Null (the default) for the more
   * probable one.
   */
  readonly rejectThreshold?: number | null;
  /** The opening that a scene's questions share; null to read all of it. */
  readonly opening?: Opening | null;
  /** Heard after every layer. */
  readonly signal?: Abortable | undefined;
}

/** A decision that the model wrote. */
export interface GeneratedDecision {
  /** Index into `ids`. */
  readonly index: number;
  readonly answer: Answer;
  /** Of "absent" against "found", when the token was chosen. */
  readonly rejectProbability: number;
  /** Null where it is absent. */
  readonly mask: MaskLogits | null;
}

export interface GeneratedAnswer {
  /** The new tokens, </s> not among them. */
  readonly ids: readonly number[];
  readonly decisions: readonly GeneratedDecision[];
  /** Why it ended. */
  readonly end: 'end-of-text' | 'max-tokens';
}

/**
 * @param promptIds from the begin-of-text token to "ASSISTANT:", -200 where the image stands
 * @throws the signal's reason when it is aborted; nothing stays allocated then
 */
export async function generate(
  network: GroundingModel,
  vocabulary: Vocabulary,
  image: EncodedImage,
  promptIds: readonly number[],
  { opening = null, ...options }: GenerateOptions,
): Promise<GeneratedAnswer> {
  const begun = opening === null ? null : await opening.of(promptIds, options.signal);
  const session = new DecodingSession(network, image, begun);
  let written: WrittenAnswer;
  try {
    written = await writeAnswer(session, vocabulary, promptIds.slice(begun?.ids.length ?? 0), options);
  } finally {
    session.dispose();
  }
  return { ...written, decisions: await withMasks(network, image, written.decisions, options.signal) };
}

export interface WriteAnswerOptions extends Omit<GenerateOptions, 'opening'> {
  /** Called after every token with all new ones. */
  readonly onToken?: ((ids: readonly number[]) => void) | undefined;
}

/** As `GeneratedAnswer`, its masks yet to be drawn from the states [D]. */
export interface WrittenAnswer extends Omit<GeneratedAnswer, 'decisions'> {
  readonly decisions: readonly (Omit<GeneratedDecision, 'mask'> & { readonly state: Float32Array })[];
}

/** @param unread the rest of the prompt, at least one token */
export async function writeAnswer(
  session: DecodingSession,
  vocabulary: Vocabulary,
  unread: readonly number[],
  { maxTokens, rejectThreshold = null, signal, onToken }: WriteAnswerOptions,
): Promise<WrittenAnswer> {
  const ids: number[] = [];
  const decisions: WrittenAnswer['decisions'][number][] = [];
  while (ids.length < maxTokens) {
    // Every step blocks the thread; here timers and SIGINT get their turn.
    await nextTurn();
    signal?.throwIfAborted();
    const { logits, state } = await session.feed(unread, signal);
    const { argmax, rejectProbability } = readNextToken(logits, vocabulary);
    if (argmax === vocabulary.end) return { ids, decisions, end: 'end-of-text' };
    let next = argmax;
    const written = decisionOf(argmax, vocabulary);
    if (written !== null) {
      const isRejected = rejectThreshold === null ? written === 'absent' : rejectProbability >= rejectThreshold;
      const answer = isRejected ? 'absent' : 'found';
      if (answer !== written) next = tokenOf(answer, decisions.length, vocabulary);
      decisions.push({ index: ids.length, answer, rejectProbability, state });
    }
    ids.push(next);
    onToken?.(ids);
    unread = [next];
  }
  return { ids, decisions, end: 'max-tokens' };
}
