/**
 * How an image is asked about in evaluation, and the answer that is put in the model's mouth (teacher forcing). Forms
 * about any number of expressions are those of gRefCOCO and of the paper's Table 6; ReasonSeg and ADE20K ask about one
 * thing at a time.
 */
import { REJ_TOKEN, SEG_TOKEN } from '../shared/decision-tokens.js';
import type { PrescribedForm } from '../../data/evaluated-dataset.js';
import { GSVA_VARIANT, type Variant } from '../shared/variant.js';
import {
  type PromptTarget,
  classEvaluationQuestion,
  evaluationAnswer,
  evaluationQuestion,
  paperQuestion,
  trainedAnswer,
  trainedQuestion,
} from './prompts.js';
import { validationQuestion } from '../shared/lisa-prompts.js';

/**
 * 'reference': as published figures were obtained, with an answer ("Sure,X:[SEG].") that no training form has;
 * 'trained': question and answer as the model has learned them; the others are the questions of Table 6.
 */
export const EXPRESSION_FORMS = ['reference', 'trained', 'what', 'where', 'show', 'outline'] as const;
type ExpressionForm = (typeof EXPRESSION_FORMS)[number];

export type QuestionForm = ExpressionForm | PrescribedForm;

/** Whether a question of this form is about one expression only, as datasets prescribe it. */
export function asksAlone(form: string): boolean {
  return ['reason-sentence', 'reason-phrase', 'class'].includes(form);
}

/** The user's turn, `<image>` in it. A model with a single [SEG] is asked for one thing at a time, in LISA's words. */
export function questionOf(
  form: QuestionForm,
  expressions: readonly string[],
  variant: Variant = GSVA_VARIANT,
): string {
  switch (form) {
    case 'reference':
      return variant.multipleSeg ? evaluationQuestion(expressions) : validationQuestion(only(expressions), false);
    case 'trained':
      return trainedQuestion(variant.multipleSeg ? expressions : [only(expressions)], variant);
    case 'reason-sentence':
    case 'reason-phrase':
      return validationQuestion(only(expressions), form === 'reason-sentence');
    case 'class':
      return classEvaluationQuestion(only(expressions));
    default:
      return paperQuestion(form, expressions);
  }
}

/**
 * The user's turn where the model answers freely. There is no published text to keep to: in place of the reference's
 * question, with its spaces too many and too few, stands the trained one.
 */
export function freeQuestionOf(
  form: QuestionForm,
  expressions: readonly string[],
  variant: Variant = GSVA_VARIANT,
): string {
  return questionOf(form === 'reference' ? 'trained' : form, expressions, variant);
}

/** The model's turn. ReasonSeg's is that of the reference, the one of ADE20K is the paper's (section D). */
export function answerOf(
  form: QuestionForm,
  targets: readonly PromptTarget[],
  variant: Variant = GSVA_VARIANT,
): string {
  if (form === 'trained') return trainedAnswer(variant.multipleSeg ? targets : [only(targets)], variant);
  if (!asksAlone(form)) return evaluationAnswer(targets, variant);
  const token = only(targets).isEmpty && variant.reject ? REJ_TOKEN : SEG_TOKEN;
  return form === 'class' ? `Sure, ${token}.` : token;
}

function only<T>(list: readonly T[]): T {
  const [first, ...others] = list;
  if (first === undefined || others.length > 0) {
    throw new Error(`question-forms: this form asks about one expression, not ${list.length}`);
  }
  return first;
}
