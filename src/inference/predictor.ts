/** Image and expressions in, masks and rejections out: a model with its tokenizer and its system's way of asking. */
import type { ConversationStyle, Turn } from '../data/text/conversation.js';
import { prepareImage } from '../data/image/prepare-image.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import type { Abortable } from '../abortable.js';
import { pause } from '../engine/steps.js';
import { UserError } from '../errors.js';
import type { Answer as Decision, Asked, GroundingModel, ModelWords, System } from '../systems/system.js';
import { type EncodedImage, encodeImages } from '../features/image-features.js';
import { IMAGE_PLACEHOLDER } from '../special-tokens.js';
import { without } from '../schema.js';
import type { BinaryMask, LogitRule, PreparedImage, RgbImage } from '../types.js';
import { ask, type AskedDecision, generate } from './generate.js';
import { Asking } from './asking.js';
import type { MaskLogits } from './draw-masks.js';
import { type GeneratedReply, readFreeAnswer, binaryMask, decidedResult } from './segment-result.js';
import type { Opening } from './decoding-session.js';
import type { Answer, AnsweringModel, FreeReply, Reply, ReplyOptions, ReplyPart, SegmentOptions } from './reply.js';
import { checkedExpressions, checkedQuestion, checkOptions, checkSegmentOptions } from './segment-options.js';
import { type ForcedAnswer, teacherForce } from './teacher-forcing.js';

/** New tokens of an answer at most, unless said otherwise: a base, and more per expression. */
const ANSWER_TOKENS = { base: 32, perExpression: 32 };
/** The same for a free question. */
const CONVERSATION_TOKENS = 128;
const DEFAULT_REJECT_THRESHOLD = 0.5;
/** Conversations in one forward pass: models that are asked for one expression at a time have many. */
const CONVERSATIONS_AT_ONCE = 48;

export interface Question {
  readonly image: EncodedImage;
  /** As in the dataset: cleaned, at least one. */
  readonly expressions: readonly string[];
  /** How it is asked; default: 'trained' where the model decides by itself, 'reference' where it is forced. */
  readonly form?: string;
  /** Which logits are inside of a mask; default those ≥ 0. */
  readonly logitRule?: LogitRule;
  /** Beginning of the conversations about the image, where it is asked about more than once. */
  readonly opening?: Opening | undefined;
}

export interface ForcedReply extends Answer {
  /** A mask per expression, also where it was rejected: the second pass of the reference's evaluation. */
  readonly masks: readonly BinaryMask[];
}

/** Properties of a model besides its numbers. */
interface PredictorOptions extends ModelWords {
  readonly rejectThreshold?: number | null;
  /** Its name in replies. */
  readonly model?: AnsweringModel;
}

export class Predictor {
  readonly asking: Asking;
  readonly model: AnsweringModel;
  /** As calibrated for this model: an expression is absent from this probability on; null where it is not. */
  readonly rejectThreshold: number | null;

  constructor(
    system: System,
    readonly network: GroundingModel,
    tokenizer: Tokenizer,
    conversation: ConversationStyle,
    {
      rejectThreshold = null,
      model = { name: 'a model without a name', knows: null },
      ...words
    }: PredictorOptions = {},
  ) {
    this.asking = new Asking(system, network, tokenizer, conversation, words);
    this.model = model;
    this.rejectThreshold = rejectThreshold;
  }

  /** The encoders on a batch of images; the result is plain data and can be kept. */
  async encode(images: readonly RgbImage[], signal?: Abortable): Promise<EncodedImage[]> {
    const prepared = [];
    for (const image of images) {
      await pause(signal);
      prepared.push(this.prepare(image));
    }
    return encodeImages(this.network, prepared, signal);
  }

  async encodeOne(image: RgbImage, signal?: Abortable): Promise<EncodedImage> {
    return (await this.encode([image], signal))[0] as EncodedImage;
  }

  /** An image as the encoders take it. @param encoders which of them; default all */
  prepare(image: RgbImage, encoders?: ReadonlySet<string>): PreparedImage {
    return prepareImage(image, this.asking.pictures, encoders);
  }

  /**
   * The reference's evaluation: teacher forcing, all questions as one batch.
   * @param questions with the answers that are true of the image
   */
  async force(questions: readonly (Question & { readonly answers: readonly Decision[] })[]): Promise<ForcedReply[]> {
    const { network, asking } = this;
    const all = questions.map(({ form = 'reference', ...question }) => {
      return { ...question, form, asked: asking.dialogue.exam(question.expressions, question.answers, form) };
    });
    const items = all.flatMap(({ image, asked }) =>
      asked.map(({ turn }) => ({ image, conversation: asking.tokenized(turn) })),
    );
    const forced: ForcedAnswer[] = [];
    const atOnce = Math.max(questions.length, CONVERSATIONS_AT_ONCE);
    for (let first = 0; first < items.length; first += atOnce) {
      forced.push(...(await teacherForce(network, asking.vocabulary, items.slice(first, first + atOnce))));
    }
    return all.map(({ expressions, form, logitRule, asked }) => {
      const own = forced.splice(0, asked.length);
      const decisions = inOrder(expressions, asked, (turn) => {
        const { decisions = [], masks = [] } = own[turn] ?? {};
        return decisions.map((decision, place) => ({ ...decision, mask: masks[place] ?? null }));
      });
      const drawn = decisions.map(({ mask }) => binaryMask(mask as MaskLogits, logitRule));
      return { ...this.answer(expressions, decisions, form, logitRule), masks: drawn };
    });
  }

  /** The model writes its answer itself (greedy decoding). */
  async generate(question: Question, options: Omit<SegmentOptions, 'mode'> = {}): Promise<GeneratedReply> {
    const { expressions, form = 'reference' } = question;
    const replies: GeneratedReply[] = [];
    for (const { turn, targets } of this.asking.dialogue.open(expressions, form)) {
      const asked = targets.map((target) => expressions[target] as string);
      replies.push(await this.write({ ...question, expressions: asked }, turn, options));
    }
    const sum = (fault: keyof GeneratedReply['faults']): number =>
      replies.reduce((total, { faults }) => total + faults[fault], 0);
    return {
      question: replies.map((reply) => reply.question).join('\n'),
      answer: replies.map(({ answer }) => answer).join('\n'),
      results: replies.flatMap(({ results }) => results),
      unmatched: replies.flatMap(({ unmatched }) => unmatched),
      faults: { unknown: sum('unknown'), repeated: sum('repeated'), unanswered: sum('unanswered') },
    };
  }

  /**
   * The model's answer to a question of any kind, with the masks of what it found.
   * @param options `opening` is the image's, where it is asked about more than once
   * @throws the signal's reason
   */
  async converse(
    image: EncodedImage,
    question: string,
    { maxTokens = CONVERSATION_TOKENS, signal, opening }: ReplyOptions & { readonly opening?: Opening } = {},
  ): Promise<FreeReply> {
    const asked = { image, expressions: [], opening };
    const { answer, unmatched } = await this.write(asked, withImage(question), { maxTokens, signal });
    return {
      question,
      answer: answer.trim(),
      // Without expressions none is named a second time.
      parts: unmatched.map((part) => without(part, 'repeats') as ReplyPart),
      model: this.model,
    };
  }

  /**
   * The answer's form is given, one that the model has learned, and the model decides, expression after expression,
   * without any ground truth.
   */
  async ask(
    { image, expressions, opening, form = 'trained' }: Question,
    {
      rejectThreshold = this.rejectThreshold ?? DEFAULT_REJECT_THRESHOLD,
      signal,
    }: Pick<SegmentOptions, 'rejectThreshold' | 'signal'> = {},
  ): Promise<Answer> {
    const { network, asking } = this;
    const options = { rejectThreshold, opening, signal };
    const asked = asking.undecided(expressions, form);
    const decided: AskedDecision[][] = [];
    for (const { turn } of asked) {
      decided.push(await ask(network, asking.vocabulary, image, asking.tokenized(turn), options));
    }
    const decisions = inOrder(expressions, asked, (turn) => decided[turn] ?? []);
    return this.answer(expressions, decisions, form);
  }

  /**
   * Finds in an image what expressions name, and reports what is absent.
   * @param expressions free text, at least one; surrounding spaces and dots and upper case do not matter
   * @returns one result per expression, in order and under the name it was asked by
   * @throws UserError for expressions or options that cannot be used; the signal's reason
   */
  async segment(image: RgbImage, expressions: readonly string[], options: SegmentOptions = {}): Promise<Reply> {
    this.checkQuestion(expressions, options);
    return this.segmentEncoded(await this.encodeOne(image, options.signal), expressions, options);
  }

  /** As `segment`. @param opening of the image, where it is asked about more than once */
  async segmentEncoded(
    image: EncodedImage,
    expressions: readonly string[],
    options: SegmentOptions = {},
    opening?: Opening,
  ): Promise<Reply> {
    const { mode = 'ask', ...rest } = options;
    const asked = { image, expressions: this.checkQuestion(expressions, options), opening };
    const { question, answer, results, unmatched } =
      mode === 'ask' ? await this.ask(asked, rest) : await this.generate(asked, rest);
    const named = results.map((result, i) => ({ ...result, expression: expressions[i] ?? result.expression }));
    return { question, answer, results: named, unmatched, model: this.model };
  }

  /** @returns the expressions as a model is asked them. @throws UserError for what cannot be used; the signal's reason */
  checkQuestion(expressions: readonly string[], options: SegmentOptions): readonly string[] {
    checkSegmentOptions(options, this.asking.rejects);
    const cleaned = checkedExpressions(expressions);
    this.asking.checkLength(cleaned);
    options.signal?.throwIfAborted();
    return cleaned;
  }

  /** @returns the question for `converse`. @throws UserError for what cannot be used; the signal's reason */
  checkWords(question: string, options: ReplyOptions): string {
    checkOptions('Replying', options);
    const asked = checkedQuestion(question);
    this.asking.checkWords(withImage(asked));
    options.signal?.throwIfAborted();
    return asked;
  }

  /** Why a question cannot be asked of this model, in words; null where it can. */
  refusal(expressions: readonly string[], form = 'reference'): string | null {
    return this.asking.refusal(expressions, form);
  }

  /** Whether a question of this form asks for one expression only. */
  asksAlone(form: string): boolean {
    return this.asking.dialogue.asksAlone(form);
  }

  /** Frees the model. */
  dispose(): void {
    this.network.dispose();
  }

  private async write(
    { image, expressions, logitRule, opening }: Question,
    turn: Turn,
    {
      maxTokens = ANSWER_TOKENS.base + ANSWER_TOKENS.perExpression * expressions.length,
      rejectThreshold = this.rejectThreshold ?? undefined,
      signal,
    }: Omit<SegmentOptions, 'mode'>,
  ): Promise<GeneratedReply> {
    const { network, asking } = this;
    const { inputIds } = asking.tokenized(turn);
    const generated = await generate(network, asking.vocabulary, image, inputIds, {
      maxTokens,
      rejectThreshold: asking.rejects ? (rejectThreshold ?? null) : null,
      opening,
      signal,
    });
    return { question: turn.user, ...readFreeAnswer(asking, generated, expressions, logitRule) };
  }

  private answer(
    expressions: readonly string[],
    decisions: readonly AskedDecision[],
    form: string,
    logitRule?: LogitRule,
  ): Answer {
    const results = decisions.map((decision, i) =>
      decidedResult(this.asking.vocabulary, expressions[i] as string, decision, logitRule),
    );
    const answers = decisions.map(({ answer }) => answer);
    const turns = this.asking.dialogue.exam(expressions, answers, form).map(({ turn }) => turn);
    const [question, answer] = [turns.map(({ user }) => user), turns.map(({ assistant }) => assistant)];
    return { question: question.join('\n'), answer: answer.join('\n'), results, unmatched: [] };
  }
}

function withImage(question: string): Turn {
  return { user: `${IMAGE_PLACEHOLDER}\n${question}`, assistant: null };
}

/** The decisions of several questions in the order of what was asked for. */
function inOrder(
  expressions: readonly string[],
  asked: readonly Asked[],
  decisionsOf: (question: number) => readonly AskedDecision[],
): AskedDecision[] {
  const inPlace: AskedDecision[] = [];
  for (const [question, { targets }] of asked.entries()) {
    const decisions = decisionsOf(question);
    if (decisions.length !== targets.length) {
      throw new UserError(
        `Asking about ${expressions.map((text) => JSON.stringify(text)).join(', ')}: the answer has ` +
          `${decisions.length} places for ${targets.length} expressions. Leave special tokens out of expressions.`,
      );
    }
    for (const [place, target] of targets.entries()) inPlace[target] = decisions[place] as AskedDecision;
  }
  return inPlace;
}
