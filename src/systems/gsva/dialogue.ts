/** GSVA's way of asking and answering: about all targets at once, a decision for each, as far as the variant has it. */
import { asksAlone, EXPRESSION_FORMS, type QuestionForm } from './question-forms.js';
import type { Facts, Lesson } from '../../data/facts.js';
import type { Random } from '../../random.js';
import type { Variant } from '../shared/variant.js';
import { withImage } from '../shared/lisa-prompts.js';
import type { Answer, AnsweredTurn, AnswerPart, Asked, Chat, Dialogue, ParsedAnswer } from '../system.js';
import { parseAnswer, parseAnswerInOrder } from './answers.js';
import { gsvaLessons } from './lessons.js';
import { forcedTurns, freeTurns } from './questions.js';

/** Limit of LISA's program; nothing is published about conversations with GSVA. */
const CHAT: Chat = {
  maxTokens: 512,
  turn: (question, isFirst) => ({ user: isFirst ? withImage(question) : question, assistant: null }),
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

  exam(texts: readonly string[], answers: readonly Answer[], form: string): readonly Asked<AnsweredTurn>[] {
    return forcedTurns(texts, answers, this.variant, form as QuestionForm);
  }

  open(texts: readonly string[], form: string): readonly Asked[] {
    return freeTurns(texts, this.variant, form as QuestionForm);
  }

  match(parts: readonly AnswerPart[], texts: readonly string[]): ParsedAnswer {
    return (this.variant.expressionBeforeSeg ? parseAnswer : parseAnswerInOrder)(parts, texts);
  }
}
