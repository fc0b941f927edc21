/** GSVA's way of asking and answering: about all targets at once, a decision for each, as far as the variant has it. */
import * as prompts from './prompts.js';
import type { Facts, Lesson, Target } from '../../data/facts.js';
import { cleanExpression } from '../../data/text/expression.js';
import type { Random } from '../../random.js';
import { GSVA_VARIANT, type Variant } from '../shared/variant.js';
import { chatTurn, explainedTurn, explanationMode, targetQuestion } from '../shared/lisa-prompts.js';
import type { Answer, AnsweredTurn, AnswerPart, Asked, Chat, Dialogue, ParsedAnswer } from '../system.js';
import { parseAnswer, parseAnswerInOrder } from './answers.js';

/** Limit of LISA's program; nothing is published about conversations with GSVA. */
const CHAT: Chat = {
  maxTokens: 512,
  turn: chatTurn,
  shown: (tokenizer, ids) => tokenizer.decode(ids, { skipSpecial: true }).trim().replaceAll(/ +/g, ' '),
};

export class GsvaDialogue implements Dialogue {
  readonly forms = prompts.EXPRESSION_FORMS;
  readonly chat = CHAT;

  constructor(private readonly variant: Variant) {}

  asksAlone(form: string): boolean {
    return prompts.asksAlone(form);
  }

  lessons(facts: Facts, random: Random): readonly Lesson[] {
    return gsvaLessons(facts, random, this.variant);
  }

  /** Without [REJ] the decision of every answer is [SEG]. */
  exam(texts: readonly string[], answers: readonly Answer[], form: string): readonly Asked<AnsweredTurn>[] {
    return this.together(texts).map((places) => {
      const targets = places.map((i) => ({ expression: texts[i] as string, isEmpty: answers[i] === 'absent' }));
      const asked = targets.map(({ expression }) => expression);
      const user = prompts.questionOf(form as prompts.QuestionForm, asked, this.variant);
      const assistant = prompts.answerOf(form as prompts.QuestionForm, targets, this.variant);
      return { turn: { user, assistant }, targets: places };
    });
  }

  open(texts: readonly string[], form: string): readonly Asked[] {
    return this.together(texts).map((places) => {
      const asked = places.map((i) => texts[i] as string);
      const user = prompts.freeQuestionOf(form as prompts.QuestionForm, asked, this.variant);
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

/**
 * Questions and answers about the facts of an image, as the model's variant has them: one conversation about all
 * targets, or one for each. Every target is asked for by all variants, so that what is learned from an image differs in
 * nothing else. Each text of ReasonSeg is a conversation of its own; where the image has an explanation, the answer is
 * the mask, mask and explanation, or, in one of ten, the explanation alone.
 */
export function gsvaLessons(facts: Facts, random: Random, variant: Variant = GSVA_VARIANT): readonly Lesson[] {
  const { kind, targets, turns, height, width } = facts;
  if (turns.length > 0) return [{ turns, targets: [] }];
  if (kind === 'reason_seg') return reasonLessons(facts, random);
  const { multipleSeg, reject } = variant;
  const lesson = (some: readonly Target[]): Lesson => {
    const asked = some.map(({ text, wording, mask }) => {
      return { text: wording === 'expression' ? cleanExpression(text) : text, mask };
    });
    const texts = asked.map(({ text }) => text);
    const user = multipleSeg ? prompts.trainingQuestion(random, texts) : targetQuestion(random, texts.join(), false);
    const named = asked.map(({ text, mask }) => ({ expression: text, isEmpty: mask === null }));
    const assistant = prompts.trainingAnswer(random, named, kind === 'sem_seg' ? 'semseg' : 'res', variant);
    const answered = reject
      ? asked
      : asked.map(({ text, mask }) => ({
          text,
          mask: mask ?? { data: new Uint8Array(height * width), height, width },
        }));
    return { turns: [{ user, assistant }], targets: answered };
  };
  return multipleSeg ? [lesson(targets)] : targets.map((target) => lesson([target]));
}

function reasonLessons({ targets, explanation }: Facts, random: Random): Lesson[] {
  const mode = explanation === null ? 'mask' : explanationMode(random);
  return targets.map(({ text, wording, mask }) => {
    const asked = { text, isSentence: wording === 'sentence' };
    const turn = explainedTurn(random, mode, asked, explanation ?? '', prompts.EXPLANATION_REQUESTS);
    return { turns: [turn], targets: mode === 'explanation' ? [] : [{ text, mask }] };
  });
}
