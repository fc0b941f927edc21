/**
 * A conversation about one picture in several rounds. The keys and values of what was read are kept between rounds, so
 * that each round reads its own question alone.
 */
import { tokenizeQuestion } from '../data/text/conversation.js';
import { UserError } from '../errors.js';
import type { EncodedImage } from '../features/image-features.js';
import { tilesOfImage } from '../features/image-rows.js';
import { RESERVED_TEXTS } from '../special-tokens.js';
import type { Finding } from '../types.js';
import { DecodingSession } from './decoding-session.js';
import { withMasks } from './draw-masks.js';
import type { EncodeOptions } from './reply.js';
import { partsOf, decidedResult } from './segment-result.js';
import { type GeneratedAnswer, writeAnswer } from './generate.js';
import type { Predictor } from './predictor.js';

/** Shortest answer that there must be room for. */
const SHORTEST_ANSWER = 8;

export interface ChatOptions extends EncodeOptions {
  /** New tokens at most; default: the system's. */
  readonly maxTokens?: number | undefined;
  /** Called after every token with the answer so far. */
  readonly onToken?: ((answer: string) => void) | undefined;
}

export interface ChatReply {
  readonly question: string;
  /** The model's words, decision tokens among them. */
  readonly text: string;
  /** Its decisions: the finding, and the text that the model wrote before it, since the decision before. */
  readonly findings: readonly (Finding & { readonly text: string })[];
  /** 'positions': the model has none left. */
  readonly end: GeneratedAnswer['end'] | 'positions';
  /** Positions that were read for this round, a picture's among them. */
  readonly read: number;
  /** Positions that the model has left for further rounds. */
  readonly left: number;
}

export class ChatSession {
  private readonly session: DecodingSession;
  /** Tokens of all rounds, the answers' as the model wrote them. */
  private ids: readonly number[] = [];
  private isAnswering = false;

  /** @param model stays the caller's, and must live as long as the session */
  constructor(
    private readonly model: Pick<Predictor, 'network' | 'asking' | 'rejectThreshold'>,
    private readonly image: EncodedImage,
  ) {
    this.session = new DecodingSession(model.network, image);
  }

  /**
   * Answers a question as typed, with all rounds before it in mind. A question that fails or is aborted is no part of
   * the conversation.
   * @throws UserError for a question that cannot be asked; the signal's reason
   */
  async ask(question: string, options: ChatOptions = {}): Promise<ChatReply> {
    if (this.isAnswering) throw new UserError('Asking: the question before is still being answered.');
    this.isAnswering = true;
    try {
      return await this.answer(checkedQuestion(question, this.model.asking.vocabulary.added), options);
    } finally {
      this.isAnswering = false;
    }
  }

  /** Forgets all rounds; the picture is not read again. */
  restart(): void {
    this.ids = [];
  }

  /** Frees what the language model keeps of the conversation. */
  dispose(): void {
    this.session.dispose();
  }

  private async answer(question: string, { maxTokens, signal, onToken }: ChatOptions): Promise<ChatReply> {
    const { network, asking, rejectThreshold } = this.model;
    const { tokenizer, vocabulary, dialogue } = asking;
    const isFirst = this.ids.length === 0;
    const turn = dialogue.chat.turn(question, isFirst);
    const prompt = [...this.ids, ...tokenizeQuestion(tokenizer, asking.conversation, turn, isFirst)];
    const pictures = network.patches * tilesOfImage(network, this.image);
    const room = network.positions - (prompt.length - 1 + pictures);
    if (room < SHORTEST_ANSWER) {
      const advice = isFirst ? 'Ask' : 'Begin a new conversation (in the terminal: /new), or ask';
      throw new UserError(
        `Asking: with this question the conversation leaves no room for an answer among the ${network.positions} ` +
          `positions of this model. ${advice} in shorter words.`,
        'too-long',
      );
    }

    const unread = this.session.continued(prompt);
    const before = this.session.length;
    const wanted = maxTokens ?? dialogue.chat.maxTokens;
    const { ids, end, ...written } = await writeAnswer(this.session, vocabulary, unread, {
      maxTokens: Math.min(wanted, room),
      rejectThreshold: asking.rejects ? rejectThreshold : null,
      signal,
      onToken: (ids) => onToken?.(dialogue.chat.shown(tokenizer, ids)),
    });
    const read = this.session.length - before;
    const placed = written.decisions.map((decision) => ({ ...decision, at: prompt.length + decision.index }));
    const decisions = await withMasks(network, this.image, placed, [...prompt, ...ids], signal);
    const parts = partsOf(tokenizer, { ids, decisions });
    const findings = decisions.map((decision, i) => {
      const { expression: text, ...finding } = decidedResult(vocabulary, parts[i]?.text.trim() ?? '', decision);
      return { ...finding, text };
    });
    // An answer that was cut ends as the model has learned it, too.
    this.ids = [...prompt, ...ids, vocabulary.end];
    const text = dialogue.chat.shown(tokenizer, ids);
    const isFull = end === 'max-tokens' && wanted > room;
    return { question, text, findings, end: isFull ? 'positions' : end, read, left: room - ids.length - 1 };
  }
}

/** @param added tokens of the model @throws UserError with the code 'bad-expression' */
function checkedQuestion(question: string, added: readonly string[]): string {
  const asked = question.trim();
  const bad = (why: string): UserError => new UserError(`Asking: the question ${why}.`, 'bad-expression');
  if (asked === '') throw bad('is empty');
  const reserved = [...RESERVED_TEXTS, ...added].find((token) => asked.includes(token));
  if (reserved === undefined) return asked;
  throw bad(`contains ${reserved}, which the model reads as a token of its own. Leave it out`);
}
