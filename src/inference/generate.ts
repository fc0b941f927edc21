/** Greedy decoding: the model writes its answer token by token, and every [SEG] it writes becomes a mask. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { segIdAt, segIds } from '../config.js';
import type { Abortable } from '../abortable.js';
import * as tf from '../engine/tf.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import { type EncodedImage, stackFeatures } from '../features/image-features.js';
import { DecodingSession } from './decoding-session.js';
import { drawMasks, type MaskLogits } from './draw-masks.js';
import type { Opening } from './opening.js';
import { readNextToken, type TokenAnswer } from './token-decision.js';

export interface GenerateOptions {
  /** New tokens at most. */
  readonly maxTokens: number;
  /**
   * Where the model is about to write [SEG] or [REJ]: [REJ] from this probability against [SEG] on. Null (the default)
   * for the more probable one.
   */
  readonly rejectThreshold?: number | null;
  /** The opening that a scene's questions share; null to read all of it. */
  readonly opening?: Opening | null;
  /** Heard after every layer. */
  readonly signal?: Abortable | undefined;
}

/** A [SEG] or [REJ] that the model wrote. */
export interface GeneratedDecision {
  /** Index into `ids`. */
  readonly index: number;
  readonly answer: TokenAnswer;
  /** Of [REJ] against [SEG], when the token was chosen. */
  readonly rejectProbability: number;
  /** The mask of a [SEG], null for a [REJ]. */
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
  gsva: LlavaSam,
  image: EncodedImage,
  promptIds: readonly number[],
  { maxTokens, rejectThreshold = null, opening = null, signal }: GenerateOptions,
): Promise<GeneratedAnswer> {
  const { tokens } = gsva.config;
  const segs = segIds(tokens);
  const ids: number[] = [];
  const found: { index: number; answer: TokenAnswer; rejectProbability: number; state: Float32Array }[] = [];
  let end: GeneratedAnswer['end'] = 'max-tokens';
  const begun = opening === null ? null : await opening.of(promptIds, signal);
  const session = new DecodingSession(gsva, image, begun);
  try {
    let unread = promptIds.slice(begun?.ids.length ?? 0);
    while (ids.length < maxTokens) {
      // Every step blocks the thread; here timers and SIGINT get their turn.
      await nextTurn();
      signal?.throwIfAborted();
      const { logits, state } = await session.feed(unread, signal);
      const { argmax, rejectProbability } = readNextToken(logits, tokens);
      if (argmax === tokens.eos) {
        end = 'end-of-text';
        break;
      }
      let next = argmax;
      if (segs.includes(argmax) || argmax === tokens.rej) {
        if (rejectThreshold !== null && rejectProbability >= rejectThreshold) next = tokens.rej;
        else if (rejectThreshold !== null && argmax === tokens.rej) next = segIdAt(found.length, tokens);
        found.push({ index: ids.length, answer: next === tokens.rej ? 'rej' : 'seg', rejectProbability, state });
      }
      ids.push(next);
      unread = [next];
    }
  } finally {
    session.dispose();
  }
  const states = found.filter(({ answer }) => answer === 'seg').map(({ state }) => state);
  const masks = await masksOfStates(gsva, image, states, signal);
  const decisions = found.map(({ index, answer, rejectProbability }) => {
    return { index, answer, rejectProbability, mask: answer === 'seg' ? (masks.shift() ?? null) : null };
  });
  return { ids, decisions, end };
}

/** The masks of states [D] that predict a [SEG], all about one image. */
export async function masksOfStates(
  gsva: LlavaSam,
  image: EncodedImage,
  states: readonly Float32Array[],
  signal?: Abortable,
): Promise<MaskLogits[]> {
  if (states.length === 0) return [];
  const size = gsva.config.llm.hiddenSize;
  const all = new Float32Array(states.length * size);
  for (const [index, state] of states.entries()) all.set(state, index * size);
  const stacked = tf.tensor2d(all, [states.length, size]);
  const { clipFeatures, imageEmbeddings } = stackFeatures(gsva, [image]);
  try {
    const rows = states.map(() => 0);
    return await drawMasks(gsva, stacked, imageEmbeddings, [image], rows, signal);
  } finally {
    tf.dispose([stacked, clipFeatures, imageEmbeddings]);
  }
}
