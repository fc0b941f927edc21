/** Image and expressions in, masks and rejections out: a GSVA model with its tokenizer and its way of asking. */
import { type ConversationStyle, tokenizeConversation } from '../data/text/conversation.js';
import { prepareImage } from '../data/image/prepare-image.js';
import { checkedExpression } from '../data/text/prompts.js';
import type { QuestionForm } from '../data/text/question-forms.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import { UserError } from '../errors.js';
import type { Gsva } from '../model/gsva.js';
import { type EncodedImage, encodeImages } from '../model/image-features.js';
import { IMAGE_PLACEHOLDER, RESERVED_TEXTS } from '../special-tokens.js';
import type { BinaryMask, LogitRule, RgbImage, SegmentResult } from '../types.js';
import { GSVA_VARIANT, type Variant } from '../variant.js';
import { parseAnswer, parseAnswerInOrder } from './answer-parser.js';
import { ask, type AskedDecision } from './ask.js';
import type { MaskLogits } from './draw-masks.js';
import { generate, type GeneratedAnswer } from './generate.js';
import { freeQuestions, type QuestionTurn, questionTurns } from './question-turns.js';
import { binaryMask, segmentResult } from './segment-result.js';
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
}

/** A question with the answers that are true of the image. */
export interface ForcedQuestion extends Question {
  readonly answers: readonly TokenAnswer[];
}

/** What the model says of an image. */
export interface Reply {
  /** The user's turn, `<image>` in it; where every expression is asked on its own, a line for each. */
  readonly question: string;
  /** The model's turn; [SEG] and [REJ] as it decided. */
  readonly answer: string;
  /** One per expression, in order. */
  readonly results: readonly SegmentResult[];
}

export interface ForcedReply extends Reply {
  /** A mask per expression, also where it was rejected: the second pass of the reference's evaluation. */
  readonly masks: readonly BinaryMask[];
}

export interface GeneratedReply extends Reply {
  /** How the answer went past the question. */
  readonly faults: { readonly unknown: number; readonly repeated: number; readonly unanswered: number };
}

export interface ReplyOptions {
  readonly maxTokens?: number;
  readonly signal?: AbortSignal;
}

export interface GenerateReplyOptions extends ReplyOptions {
  /** [REJ] instead of [SEG] from this probability on; default: the model's own threshold, else the more probable. */
  readonly rejectThreshold?: number;
}

export interface SegmentOptions extends GenerateReplyOptions {
  /** 'ask' (the default): the answer's form is given, the model decides; 'generate': it writes freely. */
  readonly mode?: 'ask' | 'generate';
}

/** What a model is, where not as published. */
export interface PredictorOptions {
  readonly variant?: Variant;
  readonly rejectThreshold?: number | null;
}

export class Predictor {
  readonly variant: Variant;
  /** As calibrated for this model: an expression is rejected from this probability of [REJ] on; null where it is not. */
  readonly rejectThreshold: number | null;

  constructor(
    readonly gsva: Gsva,
    /** With the added tokens, its ids those of the model's config. */
    readonly tokenizer: Tokenizer,
    readonly conversation: ConversationStyle,
    { variant = GSVA_VARIANT, rejectThreshold = null }: PredictorOptions = {},
  ) {
    this.variant = variant;
    this.rejectThreshold = rejectThreshold;
  }

  /** Both encoders on a batch of images; the result is plain data and can be kept. */
  async encode(images: readonly RgbImage[]): Promise<EncodedImage[]> {
    const { clip, sam } = this.gsva.config;
    if (images.length === 0) return [];
    return encodeImages(
      this.gsva,
      images.map((image) => prepareImage(image, clip.imageSize, sam.imageSize)),
    );
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
      return { ...this.decided(expressions, decisions, form), results, masks: drawn };
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
    const { ids } = await generate(this.gsva, image, inputIds, {
      maxTokens,
      ...(signal === undefined ? {} : { signal }),
    });
    return this.tokenizer.decode(ids, { skipSpecial: true }).trim();
  }

  /**
   * The answer's form is given, one that the model has learned, and the model decides, expression after expression,
   * without any ground truth.
   */
  async ask(
    { image, expressions, form = 'trained' }: Question,
    rejectThreshold = this.rejectThreshold ?? DEFAULT_REJECT_THRESHOLD,
  ): Promise<Reply> {
    const decisions: AskedDecision[] = [];
    const threshold = this.variant.reject ? rejectThreshold : Infinity;
    for (const turn of this.openTurns(expressions, form)) {
      decisions.push(...(await ask(this.gsva, image, this.tokenized(turn), threshold)));
    }
    if (decisions.length !== expressions.length) {
      throw new Error(`Predictor.ask: ${expressions.length} expressions, but ${decisions.length} places in the answer`);
    }
    const results = decisions.map(({ answer, mask, rejectProbability }, i) =>
      this.result(expressions[i] as string, answer, mask, rejectProbability),
    );
    return { ...this.decided(expressions, decisions, form), results };
  }

  /**
   * Finds in an image what expressions name, and says what is not there.
   * @param expressions free text, at least one; surrounding spaces and dots and upper case do not matter
   * @returns one result per expression, in order and under the name it was asked by
   * @throws UserError for expressions or options that cannot be used
   */
  async segment(image: RgbImage, expressions: readonly string[], options: SegmentOptions = {}): Promise<Reply> {
    const { mode = 'ask', ...generating } = options;
    const { rejectThreshold } = generating;
    if (expressions.length === 0)
      throw new UserError('Segmenting: no expression is given. Say what to find, such as "red circle".');
    if (rejectThreshold !== undefined && !(rejectThreshold >= 0 && rejectThreshold <= 1)) {
      throw new UserError(`Segmenting: rejectThreshold must be from 0 to 1, found ${rejectThreshold}.`);
    }
    if (rejectThreshold !== undefined && !this.variant.reject) {
      throw new UserError(
        'Segmenting: rejectThreshold is for models with [REJ]; this one says what is absent by an empty mask.',
      );
    }
    if (
      generating.maxTokens !== undefined &&
      !(Number.isSafeInteger(generating.maxTokens) && generating.maxTokens > 0)
    ) {
      throw new UserError(`Segmenting: maxTokens must be a whole number from 1 up, found ${generating.maxTokens}.`);
    }
    const cleaned = expressions.map(checkedExpression);
    this.checkLength(cleaned);
    generating.signal?.throwIfAborted();
    const [encoded] = await this.encode([image]);
    if (encoded === undefined) throw new Error('Predictor.segment: the image was not encoded');
    const asked = { image: encoded, expressions: cleaned };
    const { question, answer, results } =
      mode === 'ask' ? await this.ask(asked, rejectThreshold) : await this.generate(asked, generating);
    return {
      question,
      answer,
      results: results.map((result, i) => ({ ...result, expression: expressions[i] as string })),
    };
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
    { image, expressions, logitRule }: Question,
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
      ...(signal === undefined ? {} : { signal }),
    });
    const parse = this.variant.expressionBeforeSeg ? parseAnswer : parseAnswerInOrder;
    const { parts, ...faults } = parse(this.partsOf(generated), expressions);
    const results = expressions.map((expression, i) => {
      const part = parts[i] ?? null;
      const decision = part === null ? undefined : generated.decisions[part];
      if (decision === undefined) return segmentResult(expression, 'no-seg-token', null, null);
      return this.result(expression, decision.answer, decision.mask, decision.rejectProbability, logitRule);
    });
    const answer = this.tokenizer.decode(generated.ids, { skipSpecial: true });
    return { question, answer, results, faults };
  }

  /** Where there is no [REJ], the mask says what is absent, whatever token was the likeliest. */
  private result(
    expression: string,
    answer: TokenAnswer,
    logits: MaskLogits | null,
    rejectProbability: number,
    logitRule?: LogitRule,
  ): SegmentResult {
    const { reject, minimumPixels } = this.variant;
    if (reject) {
      const status = answer === 'seg' ? 'segmented' : 'rejected';
      return segmentResult(expression, status, logits, rejectProbability, logitRule);
    }
    const result = segmentResult(expression, 'segmented', logits, null, logitRule);
    return result.area < minimumPixels ? segmentResult(expression, 'rejected', null, null) : result;
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
    throw new UserError(
      `Segmenting: ${expressions.length} expressions make a conversation of ${length} tokens, and this model takes ` +
        `${maxPositionEmbeddings}. Ask for fewer, or in shorter words.`,
    );
  }

  /** Tokens of the longest question with its answer, the image's among them. */
  private lengthOf(expressions: readonly string[], form?: QuestionForm): number {
    const lengths = this.openTurns(expressions, form).map((turn) => this.tokenized(turn).inputIds.length);
    return Math.max(...lengths) - 1 + this.gsva.patches;
  }

  /** The generated [SEG] and [REJ], each with the text since the one before. */
  private partsOf({ ids, decisions }: GeneratedAnswer): { text: string; answer: TokenAnswer }[] {
    return decisions.map(({ index, answer }, i) => {
      const begin = i === 0 ? 0 : (decisions[i - 1]?.index ?? 0) + 1;
      return { answer, text: this.tokenizer.decode(ids.slice(begin, index), { skipSpecial: true }) };
    });
  }
}
