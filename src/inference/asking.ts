/** A system's words for one model: questions, the answers it is given, their tokens, and what it cannot be asked. */
import type { ConversationStyle, TokenizedConversation, Turn } from '../data/text/conversation.js';
import { tokenizeConversation } from '../data/text/conversation.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import { UserError } from '../errors.js';
import { RESERVED_TEXTS } from '../special-tokens.js';
import type { EvaluationRules } from '../systems/system-info.js';
import type { AnsweredTurn, Asked, Dialogue, GroundingModel } from '../systems/system.js';
import type { ModelWords, System, Vocabulary } from '../systems/system.js';
import { type EncoderInput, mostSquares } from '../data/image/prepare-image.js';

export class Asking {
  readonly vocabulary: Vocabulary;
  readonly dialogue: Dialogue;
  /** Inputs of the encoders, by name. */
  readonly pictures: Readonly<Record<string, EncoderInput>>;

  /**
   * @param network whose positions limit a conversation
   * @param tokenizer with the added tokens, its ids those of the model's config
   */
  constructor(
    private readonly system: System,
    private readonly network: GroundingModel,
    readonly tokenizer: Tokenizer,
    readonly conversation: ConversationStyle,
    words: ModelWords,
  ) {
    this.vocabulary = system.vocabulary(network.config, words);
    this.dialogue = system.dialogue(network.config, words);
    this.pictures = system.pictures(network.config);
  }

  /** Contents of the model's config.json. */
  get config(): Readonly<Record<string, unknown>> {
    return this.system.config.toJson(this.network.config);
  }

  /** Rules of the system's published evaluation. */
  get rules(): EvaluationRules {
    return this.system.evaluation;
  }

  /** Whether a token says "absent". */
  get rejects(): boolean {
    return this.vocabulary.absent.length > 0;
  }

  /** Vision tokens of a picture at most: a question is checked before its picture is cut into tiles. */
  private get pictureTokens(): number {
    return this.network.patches * mostSquares(this.pictures);
  }

  tokenized(turn: Turn): TokenizedConversation {
    return tokenizeConversation(this.tokenizer, this.conversation, [turn]);
  }

  /** With "found" wherever the model is to decide. */
  undecided(expressions: readonly string[], form: string): readonly Asked<AnsweredTurn>[] {
    const answers = expressions.map(() => 'found' as const);
    return this.dialogue.exam(expressions, answers, form);
  }

  /** Why a question cannot be asked of this model, in words; null where it can. */
  refusal(expressions: readonly string[], form: string): string | null {
    const reserved = RESERVED_TEXTS.find((token) => expressions.some((expression) => expression.includes(token)));
    if (reserved !== undefined) return `it contains ${reserved}, which is reserved`;
    const length = this.lengthOf(expressions, form);
    if (length <= this.network.positions) return null;
    return `its conversation has ${length} tokens, and the model takes ${this.network.positions}`;
  }

  /** Positions beyond what the LLM was made for were never trained. @throws UserError with the code 'too-long' */
  checkLength(expressions: readonly string[]): void {
    const length = this.lengthOf(expressions, 'trained');
    if (length <= this.network.positions) return;
    const [subject, advice] =
      expressions.length === 1
        ? ['one expression makes', 'Ask in shorter words']
        : [`${expressions.length} expressions make`, 'Ask for fewer, or in shorter words'];
    throw new UserError(
      `Segmenting: ${subject} a conversation of ${length} tokens, and this model takes ${this.network.positions}. ${advice}.`,
      'too-long',
    );
  }

  /** The same for a question in words. @throws UserError with the code 'too-long' */
  checkWords(turn: Turn): void {
    const length = this.tokenized(turn).inputIds.length - 1 + this.pictureTokens;
    if (length < this.network.positions) return;
    throw new UserError(
      `Replying: the question makes a conversation of ${length} tokens, and this model takes ${this.network.positions}, its ` +
        'answer included. Ask in fewer words.',
      'too-long',
    );
  }

  /** Tokens of the longest question with its answer, the image's among them. */
  private lengthOf(expressions: readonly string[], form: string): number {
    const lengths = this.undecided(expressions, form).map(({ turn }) => this.tokenized(turn).inputIds.length);
    return Math.max(...lengths) - 1 + this.pictureTokens;
  }
}
