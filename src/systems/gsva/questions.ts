/** Questions about a picture as a model of a variant is asked them, and the answer that it is given to continue. */
import { answerOf, freeQuestionOf, type QuestionForm, questionOf } from './question-forms.js';
import type { Variant } from '../shared/variant.js';
import type { Answer, AnsweredTurn, Asked } from '../system.js';

/**
 * Conversations of one turn that together ask about every expression in order: one about all, or one for each.
 * @param answers decision of the given answer about each; without [REJ] it is [SEG] for all
 */
export function forcedTurns(
  expressions: readonly string[],
  answers: readonly Answer[],
  variant: Variant,
  form: QuestionForm,
): Asked<AnsweredTurn>[] {
  return together(expressions, variant).map((places) => {
    const targets = places.map((i) => ({ expression: expressions[i] as string, isEmpty: answers[i] === 'absent' }));
    const asked = targets.map(({ expression }) => expression);
    const turn = { user: questionOf(form, asked, variant), assistant: answerOf(form, targets, variant) };
    return { turn, targets: places };
  });
}

/** Questions that are answered freely. */
export function freeTurns(expressions: readonly string[], variant: Variant, form: QuestionForm): Asked[] {
  return together(expressions, variant).map((places) => {
    const asked = places.map((i) => expressions[i] as string);
    return { turn: { user: freeQuestionOf(form, asked, variant), assistant: null }, targets: places };
  });
}

/** Places of the expressions that one conversation is about. */
function together(expressions: readonly string[], { multipleSeg }: Variant): number[][] {
  const places = expressions.map((_, i) => i);
  return multipleSeg ? [places] : places.map((place) => [place]);
}
