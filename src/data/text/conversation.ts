/**
 * Conversations as text, ids and labels in LLaVA's styles (model/llava/conversation.py, collate of data/dataset.py) and in
 * InternVL's (conversation.py, "internvl2_5").
 * The reference finds labels by splitting the text; here a turn is rendered as question and answer, so that ids and
 * labels share one source.
 */
import {
  IGNORE_LABEL,
  IMAGE_END_TOKEN,
  IMAGE_PLACEHOLDER,
  IMAGE_START_TOKEN,
  IMAGE_TOKEN_ID,
  PICTURE_END_TOKEN,
  PICTURE_START_TOKEN,
  TURN_END_TOKEN,
  TURN_START_TOKEN,
} from '../../special-tokens.js';
import type { Tokenizer } from './tokenizer.js';

/**
 * `vicuna` is that of LISA's first models (v0); `plain` is ours, for small models: llava_v1 without the system sentence;
 * `internvl2_5` is called so in InternVL's config.json ("template").
 */
export const CONVERSATION_STYLES = ['llava_v1', 'llava_llama_2', 'vicuna', 'plain', 'internvl2_5'] as const;
export type ConversationStyle = (typeof CONVERSATION_STYLES)[number];

/** One question and its answer; `null` where the model is to answer (last turn only). */
export interface Turn {
  readonly user: string;
  readonly assistant: string | null;
}

export interface TokenizedConversation {
  /** -200 stands for the image. */
  readonly inputIds: number[];
  /** As `inputIds` where supervised (answers and what ends them), -100 elsewhere. Same length. */
  readonly labels: number[];
}

const vicunaSystem = (person: string): string =>
  `A chat between a curious ${person} and an artificial intelligence assistant. ` +
  `The assistant gives helpful, detailed, and polite answers to the ${person}'s questions. `;
const SYSTEM: Readonly<Partial<Record<ConversationStyle, string>>> = {
  llava_v1: vicunaSystem('human'),
  vicuna: vicunaSystem('user'),
};
const LLAMA_2_SYSTEM =
  'You are a helpful language and vision assistant. ' +
  'You are able to understand the visual content that the user provides, ' +
  'and assist the user with a variety of tasks using natural language.';

/** Sic. */
const INTERNVL_SYSTEM = 'You are an helpful assistant.';
/** Text between an answer, which ends with a token of its own, and the next question: not supervised. */
const AFTER_ANSWER: Readonly<Partial<Record<ConversationStyle, string>>> = { internvl2_5: '\n' };
/** Styles whose text begins without the begin-of-text token. */
const WITHOUT_BEGIN: ReadonlySet<ConversationStyle> = new Set(['internvl2_5']);

/** Text of one turn: everything up to the answer, and the answer with what ends it. */
type RenderedTurn = Readonly<Record<'prompt' | 'answer', string>>;

function renderTurn(style: ConversationStyle, turn: Turn, first: boolean): RenderedTurn {
  if (style === 'internvl2_5') return renderInternVlTurn(turn, first);
  const user = turn.user.replaceAll(IMAGE_PLACEHOLDER, IMAGE_START_TOKEN + IMAGE_PLACEHOLDER + IMAGE_END_TOKEN);
  if (style === 'llava_llama_2') {
    const system = first ? `<<SYS>>\n${LLAMA_2_SYSTEM}\n<</SYS>>\n\n` : '';
    // The reference drops the "<s>" in front of the first turn: the tokenizer puts it there.
    return {
      prompt: `${first ? '' : '<s>'}[INST] ${system}${user} [/INST]`,
      answer: turn.assistant === null ? '' : ` ${turn.assistant} </s>`,
    };
  }
  const system = first ? (SYSTEM[style] ?? '') : '';
  return {
    prompt: `${system}USER: ${user} ASSISTANT:`,
    answer: turn.assistant === null ? '' : ` ${turn.assistant}</s>`,
  };
}

function renderInternVlTurn({ user: question, assistant }: Turn, first: boolean): RenderedTurn {
  const user = question.replaceAll(IMAGE_PLACEHOLDER, PICTURE_START_TOKEN + IMAGE_PLACEHOLDER + PICTURE_END_TOKEN);
  const opened = (role: string, text: string): string => `${TURN_START_TOKEN}${role}\n${text}`;
  const closed = (role: string, text: string): string => `${opened(role, text)}${TURN_END_TOKEN}\n`;
  return {
    prompt: (first ? closed('system', INTERNVL_SYSTEM) : '') + closed('user', user) + opened('assistant', ''),
    answer: assistant === null ? '' : assistant + TURN_END_TOKEN,
  };
}

function renderTurns(style: ConversationStyle, turns: readonly Turn[]): RenderedTurn[] {
  if (turns.length === 0) throw new Error('renderConversation: a conversation needs at least one turn');
  if (turns.slice(0, -1).some((turn) => turn.assistant === null)) {
    throw new Error('renderConversation: only the last turn may be without an answer');
  }
  return turns.map((turn, i) => renderTurn(style, turn, i === 0));
}

function afterAnswer(style: ConversationStyle, answer: string): string {
  return answer === '' ? '' : (AFTER_ANSWER[style] ?? '');
}

/**
 * The conversation as text, `<image>` between the style's markers (`<im_start>` and `<im_end>`, InternVL: `<img>` and
 * `</img>`); an open last turn is ready for generation.
 */
export function renderConversation(style: ConversationStyle, turns: readonly Turn[]): string {
  return renderTurns(style, turns)
    .map(({ prompt, answer }) => prompt + answer + afterAnswer(style, answer))
    .join('');
}

/** Ids and labels, begin token first where the style has one, cut to `maxLength` (reference: 1024 - 255, as the image takes 256 tokens). */
export function tokenizeConversation(
  tokenizer: Tokenizer,
  style: ConversationStyle,
  turns: readonly Turn[],
  options: { readonly maxLength?: number } = {},
): TokenizedConversation {
  const inputIds = beginIds(tokenizer, style);
  const labels = inputIds.map(() => IGNORE_LABEL);
  for (const { prompt, answer } of renderTurns(style, turns)) {
    const asked = encodeWithImage(tokenizer, prompt);
    // A turn ends at an added token, where the tokenizer starts afresh, so turns can be encoded one by one. Within a turn
    // the answer's first token takes in the space before it: prompt and answer have to be encoded together.
    const ids = answer === '' ? asked : encodeWithImage(tokenizer, prompt + answer);
    const supervisedFrom = commonLength(asked, ids);
    for (const [i, id] of ids.entries()) {
      inputIds.push(id);
      labels.push(i >= supervisedFrom ? id : IGNORE_LABEL);
    }
    for (const id of tokenizer.encode(afterAnswer(style, answer), { addBos: false })) {
      inputIds.push(id);
      labels.push(IGNORE_LABEL);
    }
  }
  const { maxLength } = options;
  return maxLength === undefined
    ? { inputIds, labels }
    : { inputIds: inputIds.slice(0, maxLength), labels: labels.slice(0, maxLength) };
}

/** Ids of a question, ready to be answered, behind the ids of the conversation so far, which end with its end token. */
export function tokenizeQuestion(
  tokenizer: Tokenizer,
  style: ConversationStyle,
  turn: Turn,
  isFirst: boolean,
): number[] {
  const { prompt } = renderTurn(style, { ...turn, assistant: null }, isFirst);
  if (isFirst) return [...beginIds(tokenizer, style), ...encodeWithImage(tokenizer, prompt)];
  return encodeWithImage(tokenizer, (AFTER_ANSWER[style] ?? '') + prompt);
}

function beginIds(tokenizer: Tokenizer, style: ConversationStyle): number[] {
  return WITHOUT_BEGIN.has(style) ? [] : [tokenizer.bosId];
}

/** Ids of a text without the begin-of-text token, each `<image>` as -200 (reference: tokenizer_image_token). */
function encodeWithImage(tokenizer: Tokenizer, text: string): number[] {
  return text
    .split(IMAGE_PLACEHOLDER)
    .flatMap((part, i) => [...(i === 0 ? [] : [IMAGE_TOKEN_ID]), ...tokenizer.encode(part, { addBos: false })]);
}

function commonLength(a: readonly number[], b: readonly number[]): number {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  return i;
}

/** Conversations of different lengths as one batch, padded on the right. */
export interface PaddedBatch {
  /** [batch, time], row by row. */
  readonly inputIds: Int32Array;
  /** [batch, time], row by row; -100 where padded. */
  readonly labels: Int32Array;
  /** Length of each conversation before padding: what the attention mask is made from. */
  readonly lengths: number[];
  readonly batch: number;
  /** Length of the longest. */
  readonly time: number;
}

export function padBatch(list: readonly TokenizedConversation[], padId: number): PaddedBatch {
  const lengths = list.map((item) => item.inputIds.length);
  const time = Math.max(0, ...lengths);
  const inputIds = new Int32Array(list.length * time).fill(padId);
  const labels = new Int32Array(list.length * time).fill(IGNORE_LABEL);
  for (const [row, item] of list.entries()) {
    inputIds.set(item.inputIds, row * time);
    labels.set(item.labels, row * time);
  }
  return { inputIds, labels, lengths, batch: list.length, time };
}
