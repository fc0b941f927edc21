/** What a model of a variant is asked about an image, and the answer that is put in its mouth. */
import type { Turn } from '../data/text/conversation.js';
import { answerOf, freeQuestionOf, type QuestionForm, questionOf } from '../systems/gsva/question-forms.js';
import type { Variant } from '../variant.js';
import type { TokenAnswer } from './token-decision.js';

export interface QuestionTurn extends Turn {
  readonly assistant: string;
}

/**
 * Conversations of one turn that together ask about every expression in order: one about all, or one for each.
 * @param answers what the given answer says of each; without [REJ] it says [SEG] of all
 */
export function questionTurns(
  expressions: readonly string[],
  answers: readonly TokenAnswer[],
  variant: Variant,
  form: QuestionForm,
): QuestionTurn[] {
  const targets = expressions.map((expression, i) => ({ expression, isEmpty: answers[i] === 'rej' }));
  return together(targets, variant).map((some) => {
    const asked = some.map(({ expression }) => expression);
    return { user: questionOf(form, asked, variant), assistant: answerOf(form, some, variant) };
  });
}

/** Questions that are answered freely, with what each asks about. */
export function freeQuestions(
  expressions: readonly string[],
  variant: Variant,
  form: QuestionForm,
): { readonly question: string; readonly expressions: readonly string[] }[] {
  return together(expressions, variant).map((some) => ({
    question: freeQuestionOf(form, some, variant),
    expressions: some,
  }));
}

function together<T>(items: readonly T[], { multipleSeg }: Variant): (readonly T[])[] {
  return multipleSeg ? [items] : items.map((item) => [item]);
}
