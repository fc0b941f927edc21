/**
 * LISA's way of asking and answering: every target has a conversation of its own with one [SEG], whether the picture has
 * it or not; nothing is ever refused.
 */
import type { Facts, Lesson, Target } from '../../data/facts.js';
import type { Tokenizer } from '../../data/text/tokenizer.js';
import type { Random } from '../../random.js';
import { IMAGE_TOKEN_ID } from '../../special-tokens.js';
import * as prompts from '../shared/lisa-prompts.js';
import type { AnsweredTurn, Answer, AnswerPart, Asked, Chat, Dialogue, ParsedAnswer } from '../system.js';

export const EXPLANATION_REQUESTS = [
  'Please output segmentation mask and explain why.',
  'Please output segmentation mask and explain the reason.',
  'Please output segmentation mask and give some explanation.',
] as const;
/** Forced answer of the published validation. */
const VALIDATION_ANSWER = prompts.ANSWERS[4];
/** Question and answer that stand for the learned ones where one of each has to be chosen. */
const CHOSEN = { short: prompts.SHORT_QUESTIONS[3], long: prompts.LONG_QUESTIONS[1], answer: prompts.ANSWERS[1] };
/** Form of a question that is a whole sentence; all others ask for a phrase. */
const SENTENCE_FORM = 'reason-sentence';

export class LisaDialogue implements Dialogue {
  readonly forms = ['reference', 'trained'] as const;
  readonly chat: Chat = { maxTokens: 512, turn: prompts.chatTurn, shown: printedAnswer };

  /** @param explanationOnly share of explained pictures that are answered in words alone; below 0: never explain */
  constructor(private readonly explanationOnly = prompts.EXPLANATION_ONLY_SHARE) {}

  asksAlone(): boolean {
    return true;
  }

  readonly lessons = (facts: Facts, random: Random): Lesson[] => {
    const { turns, targets, explanation } = facts;
    if (turns.length > 0) return [{ turns, targets: [] }];
    const explained = explanation !== null && this.explanationOnly >= 0;
    const mode = explained ? prompts.explanationMode(random, this.explanationOnly) : 'mask';
    return targets.map((target) => lessonAbout(target, facts, mode, random));
  };

  exam(texts: readonly string[], _answers: readonly Answer[], form: string): Asked<AnsweredTurn>[] {
    return texts.map((text, i) => {
      const turn =
        form === 'trained'
          ? { user: learnedQuestion(text, form), assistant: CHOSEN.answer }
          : { user: prompts.validationQuestion(text, form === SENTENCE_FORM), assistant: VALIDATION_ANSWER };
      return { turn, targets: [i] };
    });
  }

  open(texts: readonly string[], form: string): Asked[] {
    return texts.map((text, i) => ({ turn: { user: learnedQuestion(text, form), assistant: null }, targets: [i] }));
  }

  /** The first [SEG] answers the only target of a question; an answer may have more of them. */
  match(parts: readonly AnswerPart[], texts: readonly string[]): ParsedAnswer {
    if (texts.length !== 1) throw new Error(`LISA asks for one target at a time, not for ${texts.length}`);
    const repeated = parts.slice(1).map((_, i) => ({ part: i + 1, expression: 0 }));
    const first = parts.length > 0 ? 0 : null;
    return { parts: [first], unknown: [], repeated, unanswered: first === null ? 1 : 0 };
  }
}

function lessonAbout(target: Target, facts: Facts, mode: prompts.ExplanationMode, random: Random): Lesson {
  const { height, width, kind, explanation } = facts;
  const isSentence = target.wording === 'sentence';
  // Instructions of ReasonSeg are asked as they stand.
  const text = kind === 'refer_seg' ? target.text.trim() : target.text;
  const turn = prompts.explainedTurn(random, mode, { text, isSentence }, explanation ?? '', EXPLANATION_REQUESTS);
  const mask = target.mask ?? { data: new Uint8Array(height * width), height, width };
  return { turns: [turn], targets: mode === 'explanation' ? [] : [{ text, mask }] };
}

function learnedQuestion(text: string, form: string): string {
  if (form === SENTENCE_FORM) return prompts.withImage(prompts.fill(CHOSEN.long, text.trim()));
  return prompts.withImage(prompts.fill(CHOSEN.short, text.trim().toLowerCase()));
}

/** Prompt and answer as one line, added tokens included (reference: chat.py). */
export function printedAnswer(tokenizer: Tokenizer, ids: readonly number[]): string {
  const text = tokenizer.decode(ids.filter((id) => id !== IMAGE_TOKEN_ID));
  return text.replaceAll('\n', '').replaceAll('  ', ' ');
}

/** Files that LISA's own program saves of an answer: the first mask, alone and over the picture; none without a mask. */
export function savedFiles(picture: string, masks: number): readonly string[] {
  const name = picture.replace(/^.*[/\\]/, '').replace(/\..*$/, '');
  return masks === 0 ? [] : [`${name}_mask_0.jpg`, `${name}_masked_img_0.jpg`];
}
