/** Image and expressions in, masks and rejections out: a GSVA model with its tokenizer and its way of asking. */
import { type ConversationStyle, tokenizeConversation } from '../data/text/conversation.js';
import { prepareImage } from '../data/image/prepare-image.js';
import { checkedExpression } from '../data/text/prompts.js';
import { answerOf, freeQuestionOf, type QuestionForm, questionOf } from '../data/text/question-forms.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import { UserError } from '../errors.js';
import type { Gsva } from '../model/gsva.js';
import { type EncodedImage, encodeImages } from '../model/image-features.js';
import { RESERVED_TEXTS } from '../special-tokens.js';
import type { BinaryMask, LogitRule, RgbImage, SegmentResult, SegmentStatus } from '../types.js';
import { parseAnswer } from './answer-parser.js';
import { ask } from './ask.js';
import { generate, type GeneratedAnswer } from './generate.js';
import { binaryMask, segmentResult } from './segment-result.js';
import { teacherForce } from './teacher-forcing.js';
import type { TokenAnswer } from './token-decision.js';

/** New tokens that an answer may have, unless said otherwise: so many, and so many more per expression. */
const ANSWER_TOKENS = { base: 32, perExpression: 32 };
const DEFAULT_REJECT_THRESHOLD = 0.5;

export interface Question {
  readonly image: EncodedImage;
  /** As in the dataset: cleaned, at least one. */
  readonly expressions: readonly string[];
  /** How it is asked; default 'reference'. */
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
  /** The user's turn, `<image>` in it. */
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

export interface GenerateReplyOptions {
  readonly maxTokens?: number;
  /** [REJ] instead of [SEG] from this probability on; default: the model's own threshold, else the more probable. */
  readonly rejectThreshold?: number;
  readonly signal?: AbortSignal;
}

export interface SegmentOptions extends GenerateReplyOptions {
  /** 'ask' (the default): the answer's form is given, the model decides; 'generate': it writes freely. */
  readonly mode?: 'ask' | 'generate';
}

export class Predictor {
  constructor(
    readonly gsva: Gsva,
    /** With the added tokens, its ids those of the model's config. */
    readonly tokenizer: Tokenizer,
    readonly conversation: ConversationStyle,
    /** As calibrated for this model: an expression is rejected from this probability of [REJ] on; null where it is not. */
    readonly rejectThreshold: number | null = null,
  ) {}

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
    const turns = questions.map(({ expressions, answers, form }) => turnOf(expressions, answers, form));
    const items = questions.map(({ image }, i) => ({ image, conversation: this.tokenized(turns[i] as Turn) }));
    const forced = await teacherForce(this.gsva, items);
    return forced.map(({ decisions, masks }, i) => {
      const { expressions, form, logitRule } = questions[i] as ForcedQuestion;
      if (decisions.length !== expressions.length || masks.length !== expressions.length) {
        throw new UserError(
          `Asking about ${expressions.map((text) => JSON.stringify(text)).join(', ')}: the answer has ` +
            `${decisions.length} places for ${expressions.length} expressions. Leave [SEG] and [REJ] out of expressions.`,
        );
      }
      const results = decisions.map(({ answer, rejectProbability }, j) =>
        segmentResult(expressions[j] as string, statusOf(answer), masks[j] ?? null, rejectProbability, logitRule),
      );
      const decided = turnOf(
        expressions,
        decisions.map(({ answer }) => answer),
        form,
      );
      const drawn = masks.map((mask) => binaryMask(mask, logitRule));
      return { question: decided.user, answer: decided.assistant, results, masks: drawn };
    });
  }

  /** The model writes its answer itself (greedy decoding). */
  async generate(
    { image, expressions, form = 'reference', logitRule }: Question,
    options: GenerateReplyOptions = {},
  ): Promise<GeneratedReply> {
    const question = freeQuestionOf(form, expressions);
    const turn = { user: question, assistant: null };
    const { inputIds } = tokenizeConversation(this.tokenizer, this.conversation, [turn]);
    const maxTokens = options.maxTokens ?? ANSWER_TOKENS.base + ANSWER_TOKENS.perExpression * expressions.length;
    const { signal, rejectThreshold = this.rejectThreshold } = options;
    const generated = await generate(this.gsva, image, inputIds, {
      maxTokens,
      rejectThreshold,
      ...(signal === undefined ? {} : { signal }),
    });
    const { parts, ...faults } = parseAnswer(this.partsOf(generated), expressions);
    const results = expressions.map((expression, i) => {
      const part = parts[i] ?? null;
      const decision = part === null ? undefined : generated.decisions[part];
      if (decision === undefined) return segmentResult(expression, 'no-seg-token', null, null);
      return segmentResult(expression, statusOf(decision.answer), decision.mask, decision.rejectProbability, logitRule);
    });
    const answer = this.tokenizer.decode(generated.ids, { skipSpecial: true });
    return { question, answer, results, faults };
  }

  /** The answer's form is given and the model decides, expression after expression, without any ground truth. */
  async ask(
    { image, expressions }: Question,
    rejectThreshold = this.rejectThreshold ?? DEFAULT_REJECT_THRESHOLD,
  ): Promise<Reply> {
    const open = turnOf(
      expressions,
      expressions.map(() => 'seg'),
    );
    const decisions = await ask(this.gsva, image, this.tokenized(open), rejectThreshold);
    if (decisions.length !== expressions.length) {
      throw new Error(`Predictor.ask: ${expressions.length} expressions, but ${decisions.length} places in the answer`);
    }
    const results = decisions.map(({ answer, mask, rejectProbability }, i) =>
      segmentResult(expressions[i] as string, statusOf(answer), mask, rejectProbability),
    );
    const decided = turnOf(
      expressions,
      decisions.map(({ answer }) => answer),
    );
    return { question: decided.user, answer: decided.assistant, results };
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
  refusal(expressions: readonly string[], form: QuestionForm = 'reference'): string | null {
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

  private tokenized(turn: Turn): ReturnType<typeof tokenizeConversation> {
    return tokenizeConversation(this.tokenizer, this.conversation, [turn]);
  }

  /** A user's question has to fit into what the LLM was made for; positions beyond it were never trained. */
  private checkLength(expressions: readonly string[]): void {
    const { maxPositionEmbeddings } = this.gsva.config.llm;
    const length = this.lengthOf(expressions, 'reference');
    if (length <= maxPositionEmbeddings) return;
    throw new UserError(
      `Segmenting: ${expressions.length} expressions make a conversation of ${length} tokens, and this model takes ` +
        `${maxPositionEmbeddings}. Ask for fewer, or in shorter words.`,
    );
  }

  /** Tokens of question and answer, the image's among them. */
  private lengthOf(expressions: readonly string[], form: QuestionForm): number {
    const turn = turnOf(
      expressions,
      expressions.map(() => 'seg'),
      form,
    );
    return this.tokenized(turn).inputIds.length - 1 + this.gsva.patches;
  }

  /** The generated [SEG] and [REJ], each with the text since the one before. */
  private partsOf({ ids, decisions }: GeneratedAnswer): { text: string; answer: TokenAnswer }[] {
    return decisions.map(({ index, answer }, i) => {
      const begin = i === 0 ? 0 : (decisions[i - 1]?.index ?? 0) + 1;
      return { answer, text: this.tokenizer.decode(ids.slice(begin, index), { skipSpecial: true }) };
    });
  }
}

interface Turn {
  readonly user: string;
  readonly assistant: string;
}

/** Question and answer; by 'reference' those that published figures were obtained with. */
function turnOf(
  expressions: readonly string[],
  answers: readonly TokenAnswer[],
  form: QuestionForm = 'reference',
): Turn {
  const targets = expressions.map((expression, i) => ({ expression, isEmpty: answers[i] === 'rej' }));
  return { user: questionOf(form, expressions), assistant: answerOf(form, targets) };
}

function statusOf(answer: TokenAnswer): SegmentStatus {
  return answer === 'seg' ? 'segmented' : 'rejected';
}
