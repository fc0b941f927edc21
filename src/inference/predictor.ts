/** Image and expressions in, masks and rejections out: a GSVA model with its tokenizer and its way of asking. */
import { type ConversationStyle, tokenizeConversation } from '../data/text/conversation.js';
import { prepareImage } from '../data/image/prepare-image.js';
import type { QuestionForm } from '../systems/gsva/question-forms.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import type { Abortable } from '../abortable.js';
import { pause } from '../engine/steps.js';
import { UserError } from '../errors.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import { type EncodedImage, encodeImages } from '../features/image-features.js';
import { IMAGE_PLACEHOLDER, RESERVED_TEXTS } from '../special-tokens.js';
import type { BinaryMask, LogitRule, RgbImage, SegmentResult } from '../types.js';
import { GSVA_VARIANT, type Variant } from '../variant.js';
import { ask, type AskedDecision } from './ask.js';
import type { MaskLogits } from './draw-masks.js';
import { type GeneratedReply, readFreeAnswer } from './free-answer.js';
import { generate } from './generate.js';
import type { Opening } from './opening.js';
import { freeQuestions, type QuestionTurn, questionTurns } from './question-turns.js';
import type { Answer, AnsweringModel, Reply, SegmentOptions } from './reply.js';
import { checkedExpressions, checkSegmentOptions } from './segment-options.js';
import { binaryMask, decidedResult } from './segment-result.js';
import { type ForcedAnswer, teacherForce } from './teacher-forcing.js';
import type { TokenAnswer } from './token-decision.js';

/** New tokens that an answer may have, unless said otherwise: so many, and so many more per expression. */
const ANSWER_TOKENS = { base: 32, perExpression: 32 };
const DEFAULT_REJECT_THRESHOLD = 0.5;
/** Conversations in one forward pass: models that are asked for one expression at a time have many. */
const CONVERSATIONS_AT_ONCE = 48;

export interface Question {
  readonly image: EncodedImage;
  /** As in the dataset: cleaned, at least one. */
  readonly expressions: readonly string[];
  /** How it is asked; default: 'trained' where the model decides by itself, 'reference' where it is forced. */
  readonly form?: QuestionForm;
  /** Which logits are inside of a mask; default those ≥ 0. */
  readonly logitRule?: LogitRule;
  /** Of the image, where it is asked about more than once. */
  readonly opening?: Opening;
}

/** A question with the answers that are true of the image. */
export interface ForcedQuestion extends Question {
  readonly answers: readonly TokenAnswer[];
}

export type { GeneratedReply };

export interface ForcedReply extends Answer {
  /** A mask per expression, also where it was rejected: the second pass of the reference's evaluation. */
  readonly masks: readonly BinaryMask[];
}

export interface AskOptions {
  /** [REJ] from this probability on; default: the model's own threshold, else 0.5. */
  readonly rejectThreshold?: number | undefined;
  readonly signal?: Abortable | undefined;
}

export interface ReplyOptions {
  readonly maxTokens?: number | undefined;
  readonly signal?: Abortable | undefined;
}

export interface GenerateReplyOptions extends ReplyOptions {
  /** [REJ] instead of [SEG] from this probability on; default: the model's own threshold, else the more probable. */
  readonly rejectThreshold?: number | undefined;
}

/** What a model is, where not as published. */
export interface PredictorOptions {
  readonly variant?: Variant;
  readonly rejectThreshold?: number | null;
  /** Its name in replies. */
  readonly model?: AnsweringModel;
}

export class Predictor {
  readonly variant: Variant;
  readonly model: AnsweringModel;
  /** As calibrated for this model: an expression is rejected from this probability of [REJ] on; null where it is not. */
  readonly rejectThreshold: number | null;

  constructor(
    readonly gsva: LlavaSam,
    /** With the added tokens, its ids those of the model's config. */
    readonly tokenizer: Tokenizer,
    readonly conversation: ConversationStyle,
    {
      variant = GSVA_VARIANT,
      rejectThreshold = null,
      model = { name: 'a model without a name', knows: null },
    }: PredictorOptions = {},
  ) {
    this.variant = variant;
    this.model = model;
    this.rejectThreshold = rejectThreshold;
  }

  /** Both encoders on a batch of images; the result is plain data and can be kept. */
  async encode(images: readonly RgbImage[], signal?: Abortable): Promise<EncodedImage[]> {
    const { clip, sam } = this.gsva.config;
    const prepared = [];
    for (const image of images) {
      await pause(signal);
      prepared.push(prepareImage(image, clip.imageSize, sam.imageSize));
    }
    return encodeImages(this.gsva, prepared, signal);
  }

  /** The reference's evaluation: teacher forcing with the true answers, all questions as one batch. */
  async force(questions: readonly ForcedQuestion[]): Promise<ForcedReply[]> {
    const turns = questions.map(({ expressions, answers, form }) => this.turns(expressions, answers, form));
    const items = questions.flatMap(({ image }, i) =>
      (turns[i] as QuestionTurn[]).map((turn) => ({ image, conversation: this.tokenized(turn) })),
    );
    const forced: ForcedAnswer[] = [];
    const atOnce = Math.max(questions.length, CONVERSATIONS_AT_ONCE);
    for (let first = 0; first < items.length; first += atOnce) {
      forced.push(...(await teacherForce(this.gsva, items.slice(first, first + atOnce))));
    }
    return questions.map(({ expressions, form, logitRule }, i) => {
      const own = forced.splice(0, turns[i]?.length);
      const decisions = own.flatMap((answer) => answer.decisions);
      const masks = own.flatMap((answer) => answer.masks);
      if (decisions.length !== expressions.length || masks.length !== expressions.length) {
        throw new UserError(
          `Asking about ${expressions.map((text) => JSON.stringify(text)).join(', ')}: the answer has ` +
            `${decisions.length} places for ${expressions.length} expressions. Leave [SEG] and [REJ] out of expressions.`,
        );
      }
      const results = decisions.map(({ answer, rejectProbability }, j) =>
        this.result(expressions[j] as string, answer, masks[j] ?? null, rejectProbability, logitRule),
      );
      const drawn = masks.map((mask) => binaryMask(mask, logitRule));
      return { ...this.decided(expressions, decisions, form), results, unmatched: [], masks: drawn };
    });
  }

  /** The model writes its answer itself (greedy decoding). */
  async generate(question: Question, options: GenerateReplyOptions = {}): Promise<GeneratedReply> {
    const replies: GeneratedReply[] = [];
    for (const asked of freeQuestions(question.expressions, this.variant, question.form ?? 'reference')) {
      replies.push(await this.generateOne({ ...question, expressions: asked.expressions }, asked.question, options));
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

  /** What the model writes about the image to a question of any kind, without special tokens. */
  async reply(
    image: EncodedImage,
    question: string,
    { maxTokens = ANSWER_TOKENS.base, signal }: ReplyOptions = {},
  ): Promise<string> {
    const turn = { user: `${IMAGE_PLACEHOLDER}\n${question}`, assistant: null };
    const { inputIds } = tokenizeConversation(this.tokenizer, this.conversation, [turn]);
    const { ids } = await generate(this.gsva, image, inputIds, { maxTokens, signal });
    return this.tokenizer.decode(ids, { skipSpecial: true }).trim();
  }

  /**
   * The answer's form is given, one that the model has learned, and the model decides, expression after expression,
   * without any ground truth.
   */
  async ask(
    { image, expressions, opening, form = 'trained' }: Question,
    { rejectThreshold = this.rejectThreshold ?? DEFAULT_REJECT_THRESHOLD, signal }: AskOptions = {},
  ): Promise<Answer> {
    const decisions: AskedDecision[] = [];
    const options = { rejectThreshold: this.variant.reject ? rejectThreshold : Infinity, opening, signal };
    for (const turn of this.openTurns(expressions, form)) {
      decisions.push(...(await ask(this.gsva, image, this.tokenized(turn), options)));
    }
    if (decisions.length !== expressions.length) {
      throw new Error(`Predictor.ask: ${expressions.length} expressions, but ${decisions.length} places in the answer`);
    }
    const results = decisions.map(({ answer, mask, rejectProbability }, i) =>
      this.result(expressions[i] as string, answer, mask, rejectProbability),
    );
    return { ...this.decided(expressions, decisions, form), results, unmatched: [] };
  }

  /**
   * Finds in an image what expressions name, and says what is absent.
   * @param expressions free text, at least one; surrounding spaces and dots and upper case do not matter
   * @returns one result per expression, in order and under the name it was asked by
   * @throws UserError for expressions or options that cannot be used; the signal's reason
   */
  async segment(image: RgbImage, expressions: readonly string[], options: SegmentOptions = {}): Promise<Reply> {
    this.checkQuestion(expressions, options);
    options.signal?.throwIfAborted();
    const [encoded] = await this.encode([image], options.signal);
    if (encoded === undefined) throw new Error('Predictor.segment: the image was not encoded');
    return this.segmentEncoded(encoded, expressions, options);
  }

  /**
   * As `segment`.
   * @param opening of the image, where it is asked about more than once
   */
  async segmentEncoded(
    image: EncodedImage,
    expressions: readonly string[],
    options: SegmentOptions = {},
    opening?: Opening,
  ): Promise<Reply> {
    const cleaned = this.checkQuestion(expressions, options);
    const { mode = 'ask', ...rest } = options;
    rest.signal?.throwIfAborted();
    const asked = { image, expressions: cleaned, ...(opening === undefined ? {} : { opening }) };
    const { question, answer, results, unmatched } =
      mode === 'ask' ? await this.ask(asked, rest) : await this.generate(asked, rest);
    const asWritten = (cleaned: string, i: number): string => expressions[i] ?? cleaned;
    return {
      question,
      answer,
      results: results.map((result, i) => ({ ...result, expression: asWritten(result.expression, i) })),
      unmatched,
      model: this.model,
    };
  }

  /** @returns the expressions as a model is asked them. @throws UserError for what cannot be used */
  checkQuestion(expressions: readonly string[], options: SegmentOptions): readonly string[] {
    checkSegmentOptions(options, this.variant);
    const cleaned = checkedExpressions(expressions);
    this.checkLength(cleaned);
    return cleaned;
  }

  /** Why a question cannot be asked of this model, in words; null where it can. */
  refusal(expressions: readonly string[], form?: QuestionForm): string | null {
    const reserved = RESERVED_TEXTS.find((token) => expressions.some((expression) => expression.includes(token)));
    if (reserved !== undefined) return `it contains ${reserved}, which is reserved`;
    const { maxPositionEmbeddings } = this.gsva.config.llm;
    const length = this.lengthOf(expressions, form);
    if (length <= maxPositionEmbeddings) return null;
    return `its conversation has ${length} tokens, and the model takes ${maxPositionEmbeddings}`;
  }

  /** Frees the model. */
  dispose(): void {
    this.gsva.dispose();
  }

  private async generateOne(
    { image, expressions, logitRule, opening }: Question,
    question: string,
    {
      maxTokens = ANSWER_TOKENS.base + ANSWER_TOKENS.perExpression * expressions.length,
      rejectThreshold,
      signal,
    }: GenerateReplyOptions,
  ): Promise<GeneratedReply> {
    const turn = { user: question, assistant: null };
    const { inputIds } = tokenizeConversation(this.tokenizer, this.conversation, [turn]);
    const threshold = this.variant.reject ? (rejectThreshold ?? this.rejectThreshold) : null;
    const generated = await generate(this.gsva, image, inputIds, {
      maxTokens,
      rejectThreshold: threshold,
      opening: opening ?? null,
      signal,
    });
    return { question, ...readFreeAnswer(this, generated, expressions, logitRule) };
  }

  private result(
    expression: string,
    answer: TokenAnswer,
    logits: MaskLogits | null,
    rejectProbability: number,
    logitRule?: LogitRule,
  ): SegmentResult {
    return decidedResult(this.variant, expression, { answer, mask: logits, rejectProbability }, logitRule);
  }

  private turns(
    expressions: readonly string[],
    answers: readonly TokenAnswer[],
    form: QuestionForm = 'reference',
  ): QuestionTurn[] {
    return questionTurns(expressions, answers, this.variant, form);
  }

  /** With [SEG] wherever the model is to decide. */
  private openTurns(expressions: readonly string[], form?: QuestionForm): QuestionTurn[] {
    return this.turns(
      expressions,
      expressions.map(() => 'seg'),
      form,
    );
  }

  /** Question and answer as the model has decided. */
  private decided(
    expressions: readonly string[],
    decisions: readonly { readonly answer: TokenAnswer }[],
    form?: QuestionForm,
  ): Pick<Reply, 'question' | 'answer'> {
    const turns = this.turns(
      expressions,
      decisions.map(({ answer }) => answer),
      form,
    );
    return {
      question: turns.map(({ user }) => user).join('\n'),
      answer: turns.map(({ assistant }) => assistant).join('\n'),
    };
  }

  private tokenized(turn: QuestionTurn): ReturnType<typeof tokenizeConversation> {
    return tokenizeConversation(this.tokenizer, this.conversation, [turn]);
  }

  /** A user's question has to fit into what the LLM was made for; positions beyond it were never trained. */
  private checkLength(expressions: readonly string[]): void {
    const { maxPositionEmbeddings } = this.gsva.config.llm;
    const length = this.lengthOf(expressions, 'trained');
    if (length <= maxPositionEmbeddings) return;
    const [subject, advice] =
      expressions.length === 1
        ? ['one expression makes', 'Ask in shorter words']
        : [`${expressions.length} expressions make`, 'Ask for fewer, or in shorter words'];
    throw new UserError(
      `Segmenting: ${subject} a conversation of ${length} tokens, and this model takes ${maxPositionEmbeddings}. ${advice}.`,
      'too-long',
    );
  }

  /** Tokens of the longest question with its answer, the image's among them. */
  private lengthOf(expressions: readonly string[], form?: QuestionForm): number {
    const lengths = this.openTurns(expressions, form).map((turn) => this.tokenized(turn).inputIds.length);
    return Math.max(...lengths) - 1 + this.gsva.patches;
  }
}
