/** GSVA's way of asking and answering: about all targets at once, a decision for each, as far as the variant has it. */
import {
  answerOf,
  asksAlone,
  EXPRESSION_FORMS,
  freeQuestionOf,
  type QuestionForm,
  questionOf,
} from './question-forms.js';
import type { Facts, Lesson } from '../../data/facts.js';
import type { Random } from '../../random.js';
import type { Variant } from '../shared/variant.js';
import { chatTurn } from '../shared/lisa-prompts.js';
import type { Answer, AnsweredTurn, AnswerPart, Asked, Chat, Dialogue, ParsedAnswer } from '../system.js';
import { parseAnswer, parseAnswerInOrder } from './answers.js';
import { gsvaLessons } from './lessons.js';

/** Limit of LISA's program; nothing is published about conversations with GSVA. */
const CHAT: Chat = {
  maxTokens: 512,
  turn: chatTurn,
  shown: (tokenizer, ids) => tokenizer.decode(ids, { skipSpecial: true }).trim().replaceAll(/ +/g, ' '),
};

export class GsvaDialogue implements Dialogue {
  readonly forms = EXPRESSION_FORMS;
  readonly chat = CHAT;

  constructor(private readonly variant: Variant) {}

  asksAlone(form: string): boolean {
    return asksAlone(form as QuestionForm);
  }

  lessons(facts: Facts, random: Random): readonly Lesson[] {
    return gsvaLessons(facts, random, this.variant);
  }

  /** Without [REJ] the decision of every answer is [SEG]. */
  exam(texts: readonly string[], answers: readonly Answer[], form: string): readonly Asked<AnsweredTurn>[] {
    return this.together(texts).map((places) => {
      const targets = places.map((i) => ({ expression: texts[i] as string, isEmpty: answers[i] === 'absent' }));
      const asked = targets.map(({ expression }) => expression);
      const user = questionOf(form as QuestionForm, asked, this.variant);
      return { turn: { user, assistant: answerOf(form as QuestionForm, targets, this.variant) }, targets: places };
    });
  }

  open(texts: readonly string[], form: string): readonly Asked[] {
    return this.together(texts).map((places) => {
      const asked = places.map((i) => texts[i] as string);
      const user = freeQuestionOf(form as QuestionForm, asked, this.variant);
      return { turn: { user, assistant: null }, targets: places };
    });
  }

  /** Places of the texts that one conversation of one turn is about: all, or one each. */
  private together(texts: readonly string[]): number[][] {
    const places = texts.map((_, i) => i);
    return this.variant.multipleSeg ? [places] : places.map((place) => [place]);
  }

  match(parts: readonly AnswerPart[], texts: readonly string[]): ParsedAnswer {
    return (this.variant.expressionBeforeSeg ? parseAnswer : parseAnswerInOrder)(parts, texts);
  }
}
