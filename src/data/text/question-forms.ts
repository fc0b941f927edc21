/**
 * How an image is asked about in evaluation, and the answer that is put in the model's mouth (teacher forcing). Forms
 * about any number of expressions are those of gRefCOCO and of the paper's Table 6; ReasonSeg and ADE20K ask about one
 * thing at a time.
 */
import { IMAGE_PLACEHOLDER, REJ_TOKEN, SEG_TOKEN } from '../../special-tokens.js';
import { GSVA_VARIANT, type Variant } from '../../variant.js';
import {
  PAPER_QUESTIONS,
  type PromptTarget,
  REASON_SHORT_QUESTIONS,
  TRAINING_QUESTIONS,
  classEvaluationQuestion,
  evaluationAnswer,
  evaluationQuestion,
  paperQuestion,
  reasonEvaluationQuestion,
} from './prompts.js';

/** 'reference': as published figures were obtained; the others are Table 6's. */
export const EXPRESSION_FORMS = ['reference', 'what', 'where', 'show', 'outline'] as const;
export type ExpressionForm = (typeof EXPRESSION_FORMS)[number];

/** 'reason-…' is ReasonSeg's, by what its text is; 'class' ADE20K's. */
export type QuestionForm = ExpressionForm | 'reason-sentence' | 'reason-phrase' | 'class';

/** Whether a question of this form is about one expression only. */
export function asksAlone(form: QuestionForm): boolean {
  return !(EXPRESSION_FORMS as readonly string[]).includes(form);
}

/** The user's turn, `<image>` in it. A model with a single [SEG] is asked for one thing at a time, in LISA's words. */
export function questionOf(
  form: QuestionForm,
  expressions: readonly string[],
  { multipleSeg }: Variant = GSVA_VARIANT,
): string {
  switch (form) {
    case 'reference':
      return multipleSeg ? evaluationQuestion(expressions) : reasonEvaluationQuestion(only(expressions), false);
    case 'reason-sentence':
    case 'reason-phrase':
      return reasonEvaluationQuestion(only(expressions), form === 'reason-sentence');
    case 'class':
      return classEvaluationQuestion(only(expressions));
    default:
      return paperQuestion(form, expressions);
  }
}

/**
 * The user's turn where the model answers freely. There is no published text to keep to: in place of the reference's
 * question, with its spaces too many and too few, stands the last of those that the model has learned.
 */
export function freeQuestionOf(
  form: QuestionForm,
  expressions: readonly string[],
  { multipleSeg }: Variant = GSVA_VARIANT,
): string {
  if (form !== 'reference') return questionOf(form, expressions);
  const [, , , template] = multipleSeg ? TRAINING_QUESTIONS : REASON_SHORT_QUESTIONS;
  return `${IMAGE_PLACEHOLDER}\n${template.split('{}').join(expressions.join(', '))}`;
}

/** The model's turn. ReasonSeg's is that of the reference, the one of ADE20K is the paper's (section D). */
export function answerOf(
  form: QuestionForm,
  targets: readonly PromptTarget[],
  variant: Variant = GSVA_VARIANT,
): string {
  if (!asksAlone(form)) return evaluationAnswer(targets, variant);
  const token = only(targets).isEmpty && variant.reject ? REJ_TOKEN : SEG_TOKEN;
  return form === 'class' ? `Sure, ${token}.` : token;
}

/** For readers of a report: the question of a form with {} for what is asked about. */
export function formText(form: ExpressionForm): string {
  return form === 'reference' ? questionOf(form, ['{}']).replace(IMAGE_PLACEHOLDER, '').trim() : PAPER_QUESTIONS[form];
}

function only<T>(list: readonly T[]): T {
  const [first, ...others] = list;
  if (first === undefined || others.length > 0) {
    throw new Error(`question-forms: this form asks about one expression, not ${list.length}`);
  }
  return first;
}
