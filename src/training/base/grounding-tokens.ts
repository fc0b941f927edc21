/** Conversations of the base's grounding as tokens: what is supervised, and where each expression's answer begins. */
import { tokenizeConversation } from '../../data/text/conversation.js';
import type { ConversationStyle, TokenizedConversation } from '../../data/text/conversation.js';
import { ABSENT_WORD, type GroundingConversation, type TrainedFormConversation } from '../../synthetic/base-text.js';
import type { Tokenizer } from '../../data/text/tokenizer.js';
import { IGNORE_LABEL } from '../../special-tokens.js';

export interface GroundedTokens {
  readonly conversation: TokenizedConversation;
  /** Index of the first token of every expression's answer; what was cut off has none. */
  readonly decisions: readonly number[];
}

/** How conversations become tokens. */
export interface TextOptions {
  readonly tokenizer: Tokenizer;
  readonly conversation: ConversationStyle;
  /** Tokens to which conversations are cut, the image counted as one. */
  readonly maxLength: number;
}

export class GroundingTokens {
  /** The token that an absent expression is answered with. */
  readonly absent: number;
  private readonly marks: Readonly<Record<'colon' | 'comma' | 'stop', number>>;

  constructor(
    private readonly options: TextOptions,
    /** Tokens that a place, or "no", stands for. */
    private readonly decisionIds: readonly number[],
  ) {
    const encode = (text: string): number[] => options.tokenizer.encode(text, { addBos: false });
    const [colon = -1, absent = -1, comma = -1] = encode(`bar: ${ABSENT_WORD}, bar`).slice(1);
    this.absent = absent;
    this.marks = { colon, comma, stop: encode('bar.').at(-1) ?? -1 };
  }

  /** Answers begin behind the colons. Where the question does not name the expressions, only they are supervised. */
  sceneForm({ turn, named }: GroundingConversation): GroundedTokens {
    const { tokenizer, conversation, maxLength } = this.options;
    const { inputIds, labels } = tokenizeConversation(tokenizer, conversation, [turn], { maxLength });
    const { colon, comma, stop } = this.marks;
    const decisions: number[] = [];
    let isAnswer = false;
    const answers = labels.map((label, index) => {
      if (label === IGNORE_LABEL) return IGNORE_LABEL;
      if (labels[index - 1] === colon) {
        decisions.push(index);
        isAnswer = true;
      } else if (label === comma || label === stop) isAnswer = false;
      return isAnswer ? label : IGNORE_LABEL;
    });
    return { conversation: { inputIds, labels: named ? labels : answers }, decisions };
  }

  /** GSVA's own conversation, with the tokens of a place or "no" in place of each decision token. */
  trainedForm({ turn, answers }: TrainedFormConversation): GroundedTokens {
    const { tokenizer, conversation: style, maxLength } = this.options;
    const inputIds: number[] = [];
    const labels: number[] = [];
    const decisions: number[] = [];
    const whole = tokenizeConversation(tokenizer, style, [turn]);
    let answered = 0;
    for (const [i, id] of whole.inputIds.entries()) {
      if (!this.decisionIds.includes(id)) {
        inputIds.push(id);
        labels.push(whole.labels[i] as number);
        continue;
      }
      const place = tokenizer.encode(answers[answered++] as string, { addBos: false });
      if (inputIds.length < maxLength) decisions.push(inputIds.length);
      inputIds.push(...place);
      labels.push(...place);
    }
    const conversation = { inputIds: inputIds.slice(0, maxLength), labels: labels.slice(0, maxLength) };
    return { conversation, decisions };
  }
}
