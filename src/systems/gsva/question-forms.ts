/**
 * How an image is asked about in evaluation, and the answer that is put in the model's mouth (teacher forcing). Forms
 * about any number of expressions are those of gRefCOCO and of the paper's Table 6; ReasonSeg and ADE20K ask about one
 * thing at a time.
 */
import { IMAGE_PLACEHOLDER } from '../../special-tokens.js';
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
export type ExpressionForm = (typeof EXPRESSION_FORMS)[number];

/** How an evaluation asks: in one form, or by 'default' in the own form of each protocol (`formOfProtocol`). */
export const QUESTION_SETTINGS = ['default', ...EXPRESSION_FORMS] as const;
export type QuestionSetting = (typeof QUESTION_SETTINGS)[number];

/** The form of a protocol: published figures need the published one, all else is asked as the model was trained. */
export function formOfProtocol(protocol: string, setting: QuestionSetting): ExpressionForm {
  if (setting !== 'default') return setting;
  return protocol === 'reference' ? 'reference' : 'trained';
}

export type QuestionForm = ExpressionForm | PrescribedForm;

/** Whether a question of this form is about one expression only. */
export function asksAlone(form: QuestionForm | 'default'): boolean {
  return !(QUESTION_SETTINGS as readonly string[]).includes(form);
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

/** Part for one expression of the answer that published figures were forced to. */
export const PUBLISHED_ANSWER = `Sure,{}:${SEG_TOKEN}`;

/** An answer up to its first decision, and that as it were for a target that is found; empty without one. */
export function beforeDecision(answer: string): { readonly first: string; readonly decision: string } {
  const decided = /\[(?:SEG|REJ)[^\]]*\]/.exec(answer);
  if (decided === null) return { first: answer, decision: '' };
  return { first: answer.slice(0, decided.index), decision: decided[0].replace(REJ_TOKEN, SEG_TOKEN) };
}

/** For readers: the question of a form with {} for what is asked about. */
export function formText(form: ExpressionForm): string {
  return questionOf(form, ['{}']).replace(IMAGE_PLACEHOLDER, '').trim();
}

/** For readers: which question and forced answer the figures of each protocol were obtained with. */
export function settingText(protocols: readonly string[], setting: QuestionSetting): string {
  return protocols
    .map((protocol) => {
      const form = formOfProtocol(protocol, setting);
      if (protocol === 'generate') return `generate: “${formText(form === 'reference' ? 'trained' : form)}”`;
      const how = form === 'reference' ? 'as published, ' : form === 'trained' ? 'as trained, ' : '';
      return `${protocol}: ${how}“${formText(form)}” – “${answerOf(form, [{ expression: '{}', isEmpty: false }])}”`;
    })
    .join('; ');
}

function only<T>(list: readonly T[]): T {
  const [first, ...others] = list;
  if (first === undefined || others.length > 0) {
    throw new Error(`question-forms: this form asks about one expression, not ${list.length}`);
  }
  return first;
}
