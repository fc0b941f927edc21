/**
 * Asking and answering as LISA does it, and systems that learned from its words: every target has a conversation of its
 * own with one [SEG], whether the picture has it or not; nothing is ever refused.
 */
import type { Facts, Lesson, Target } from '../../data/facts.js';
import type { Random } from '../../random.js';
import * as prompts from './lisa-prompts.js';
import type { AnsweredTurn, Answer, AnswerPart, Asked, Chat, Dialogue, ParsedAnswer } from '../system.js';

/** Forced answer of the published validation. */
const VALIDATION_ANSWER = prompts.ANSWERS[4];
/** Question and answer that stand for the learned ones where one of each has to be chosen. */
const CHOSEN = { short: prompts.SHORT_QUESTIONS[3], long: prompts.LONG_QUESTIONS[1], answer: prompts.ANSWERS[1] };
/** Form of a question that is a whole sentence; all others ask for a phrase. */
const SENTENCE_FORM = 'reason-sentence';

export class SingleTargetDialogue implements Dialogue {
  readonly forms = ['reference', 'trained'] as const;

  /** @param explanationOnly share of explained pictures that are answered in words alone; below 0: never explain */
  constructor(
    readonly chat: Chat,
    private readonly explanationOnly: number,
  ) {}

  asksAlone(): boolean {
    return true;
  }

  readonly lessons = (facts: Facts, random: Random): Lesson[] => this.lessonsApart(facts, random);

  /** A lesson for every target. */
  protected lessonsApart(facts: Facts, random: Random): Lesson[] {
    const { turns, targets, explanation } = facts;
    if (turns.length > 0) return [{ turns, targets: [] }];
    const explained = explanation !== null && this.explanationOnly >= 0;
    const mode = explained ? prompts.explanationMode(random, this.explanationOnly) : 'mask';
    return targets.map((target) => lessonAbout(target, facts, mode, random));
  }

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
    if (texts.length !== 1) throw new Error(`This dialogue asks for one target at a time, not for ${texts.length}`);
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
  const turn = prompts.explainedTurn(
    random,
    mode,
    { text, isSentence },
    explanation ?? '',
    prompts.EXPLANATION_REQUESTS,
  );
  const mask = target.mask ?? { data: new Uint8Array(height * width), height, width };
  return { turns: [turn], targets: mode === 'explanation' ? [] : [{ text, mask }] };
}

function learnedQuestion(text: string, form: string): string {
  if (form === SENTENCE_FORM) return prompts.withImage(prompts.fill(CHOSEN.long, text.trim()));
  return prompts.withImage(prompts.fill(CHOSEN.short, text.trim().toLowerCase()));
}
