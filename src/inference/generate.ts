/** Greedy decoding: the model writes its answer, or its decisions alone; what it decides to be found becomes a mask. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { TokenizedConversation } from '../data/text/conversation.js';
import type { EncodedImage } from '../features/image-features.js';
import { IGNORE_LABEL } from '../special-tokens.js';
import type { Answer, GroundingModel, Vocabulary } from '../systems/system.js';
import { DecodingSession, type Opening } from './decoding-session.js';
import { type MaskLogits, masksOfConversation, withMasks, decisionOf, readNextToken, tokenOf } from './draw-masks.js';
import type { EncodeOptions } from './reply.js';

interface GenerateOptions extends EncodeOptions {
  /** New tokens at most. */
  readonly maxTokens: number;
  /**
   * Where the model is about to write a decision: absent from this probability on. Null (the default) for the more
   * probable one.
   */
  readonly rejectThreshold?: number | null;
  /** The opening that a scene's questions share; without it all of it is read. */
  readonly opening?: Opening | undefined;
}

export interface AskedDecision {
  readonly answer: Answer;
  /** Probability of "absent" against "found", when the token was chosen. */
  readonly rejectProbability: number;
  /** Null where it is absent. */
  readonly mask: MaskLogits | null;
}

export interface GeneratedAnswer {
  /** The new tokens, </s> not among them. */
  readonly ids: readonly number[];
  /** Decisions that the model wrote; `index` into `ids`. */
  readonly decisions: readonly (AskedDecision & { readonly index: number })[];
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
  { opening, ...options }: GenerateOptions,
): Promise<GeneratedAnswer> {
  const begun = (await opening?.of(promptIds, options.signal)) ?? null;
  const session = new DecodingSession(network, image, begun);
  let written: WrittenAnswer;
  try {
    written = await writeAnswer(session, vocabulary, promptIds.slice(begun?.ids.length ?? 0), options);
  } finally {
    session.dispose();
  }
  const ids = [...promptIds, ...written.ids];
  const placed = written.decisions.map((decision) => ({ ...decision, at: promptIds.length + decision.index }));
  return { ...written, decisions: await withMasks(network, image, placed, ids, options.signal) };
}

interface WriteAnswerOptions extends Omit<GenerateOptions, 'opening'> {
  /** Called after every token with all new ones. */
  readonly onToken?: ((ids: readonly number[]) => void) | undefined;
}

/** As `GeneratedAnswer`, its masks yet to be drawn from the states [D]. */
interface WrittenAnswer extends Omit<GeneratedAnswer, 'decisions'> {
  readonly decisions: readonly (Decided & { readonly index: number })[];
}

type Decided = Omit<AskedDecision, 'mask'> & { readonly state: Float32Array };
type Placed = Decided & { readonly at: number };

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

/**
 * Asking without ground truth: the form of the answer is given, the decisions are the model's. It is given "Sure,red
 * circle:", its decision is read and appended, then ", green bar:" and so on, over one KV cache. Each decision is made
 * after those before it, as when it writes freely.
 * @param conversation question and answer with any decision wherever the model is to decide
 * @returns one decision per decision of the answer
 * @throws the signal's reason when it is aborted; nothing stays allocated then
 */
export async function ask(
  network: GroundingModel,
  vocabulary: Vocabulary,
  image: EncodedImage,
  { inputIds, labels }: TokenizedConversation,
  { rejectThreshold, opening, signal }: Omit<GenerateOptions, 'maxTokens'> & { readonly rejectThreshold: number },
): Promise<AskedDecision[]> {
  const decided: Placed[] = [];
  const ids = [...inputIds];
  if (network.masksFrom === 'whole reading' && vocabulary.absent.length === 0) {
    // There is nothing to decide, and the masks have a reading of their own.
    const places = inputIds.flatMap((id, t) =>
      vocabulary.found.includes(id) && labels[t] !== IGNORE_LABEL ? [t] : [],
    );
    const masks = await masksOfConversation(network, image, inputIds, places, signal);
    return masks.map((mask) => ({ answer: 'found', rejectProbability: 0, mask }));
  }
  const begun = (await opening?.of(inputIds, signal)) ?? null;
  const session = new DecodingSession(network, image, begun);
  try {
    let unread: number[] = [];
    for (let t = begun?.ids.length ?? 0; t < inputIds.length; t++) {
      const id = inputIds[t] as number;
      const isPlace = decisionOf(id, vocabulary) !== null && labels[t] !== IGNORE_LABEL;
      if (!isPlace) {
        unread.push(id);
        continue;
      }
      const { logits, state } = await session.feed(unread, signal);
      const { rejectProbability } = readNextToken(logits, vocabulary);
      const isAbsent = vocabulary.absent.length > 0 && rejectProbability >= rejectThreshold;
      const answer = isAbsent ? 'absent' : 'found';
      const written = tokenOf(answer, decided.length, vocabulary);
      unread = [written];
      ids[t] = written;
      decided.push({ answer, rejectProbability, state, at: t });
    }
  } finally {
    session.dispose();
  }
  return withMasks(network, image, decided, ids, signal);
}
