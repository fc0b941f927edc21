/**
 * The questions and answers that GSVA is trained and evaluated with (paper, section 3 and supplement; reference:
 * model/llava/constants.py, data/*.py). Texts only: what is asked about comes from the datasets.
 *
 * How an image is asked about in evaluation, and the answer that is put in the model's mouth (teacher forcing). Forms
 * about any number of expressions are those of gRefCOCO and of the paper's Table 6; ReasonSeg and ADE20K ask about one
 * thing at a time.
 */
import type { PrescribedForm } from '../../data/refer/refer-dataset.js';
import type { Random } from '../../random.js';
import { REJ_TOKEN, SEG_TOKEN, segTokenAt } from '../shared/decision-tokens.js';
import { GSVA_VARIANT, type Variant } from '../shared/variant.js';
import { ANSWERS, fill, SHORT_QUESTIONS, targetAnswer, validationQuestion, withImage } from '../shared/lisa-prompts.js';

/** Target of a part of an answer. */
export interface PromptTarget {
  readonly expression: string;
  readonly isEmpty: boolean;
}

/** Semantic segmentation joins the parts of an answer by ",", referring segmentation by ", " (the reference's). */
type AnswerKind = 'res' | 'semseg';

/** {} is the list of expressions or classes. */
export const TRAINING_QUESTIONS = [
  'Can you segment {} in this image?',
  'Please segment {} in this image.',
  'What are {} in this image? Please respond with segmentation masks.',
  'What are {} in this image? Please output segmentation masks.',
] as const;

/** Question and answer of the form 'trained', which stand for the learned ones. */
const CHOSEN_QUESTION = 3;
const CHOSEN_ANSWER = 1;

/** How an answer starts, and its part for one expression. One form is chosen per sample. */
export const ANSWER_FORMS = [
  { start: 'The segmentation results are', part: '{} [SEG]' },
  { start: 'Sure, they are', part: '{}:[SEG]' },
  { start: 'Sure,', part: 'the mask of {} is [SEG]' },
  { start: 'Sure,', part: 'the segmentation of {} is [SEG]' },
  { start: 'Sure,', part: 'the referred {} is [SEG]' },
] as const;

/** Other ways to ask that the paper evaluates (Table 6). */
export const PAPER_QUESTIONS = {
  what: 'What are {} in this image? Please output segmentation masks.',
  where: 'Where are {} in this image? Please output segmentation masks.',
  show: 'Show me {} in the image with segmentation masks',
  outline: 'Outline {} in this image with segmentation masks',
} as const;

/** The misspelling is the reference's. */
export const EXPLANATION_REQUESTS = [
  'Please output segmentation mask and explain why.',
  'Please output segmentation mask and explain the reason.',
  'Please output segmentation mask and give some explaination.',
] as const;
/** A question about all the expressions, in lower case, with the image in front. */
export function trainingQuestion(random: Random, expressions: readonly string[]): string {
  return withImage(fill(random.pick(TRAINING_QUESTIONS), expressions.join(', ').toLowerCase()));
}

/**
 * The answer to it, in one of five forms, with [REJ] for absent targets. Letters keep their case. Variants
 * without expressions keep the forms' beginnings, or have LISA's answers where there is a single [SEG].
 */
export function trainingAnswer(
  random: Random,
  targets: readonly PromptTarget[],
  kind: AnswerKind,
  variant = GSVA_VARIANT,
): string {
  if (isAlone(variant)) return answerAlone(targetAnswer(random), targets, variant);
  return answerInForm(random.pick(ANSWER_FORMS), targets, kind, variant);
}

/** Whether answers are LISA's. */
function isAlone({ expressionBeforeSeg, multipleSeg }: Variant): boolean {
  return !expressionBeforeSeg && !multipleSeg;
}

function answerInForm(
  { start, part }: (typeof ANSWER_FORMS)[number],
  targets: readonly PromptTarget[],
  kind: AnswerKind,
  variant: Variant,
): string {
  const tokens = answerTokens(targets, variant);
  const own = variant.expressionBeforeSeg ? part : SEG_TOKEN;
  const parts = targets.map(({ expression }, i) => fill(own.replace(SEG_TOKEN, tokens[i] as string), expression));
  return `${start} ${parts.join(kind === 'res' ? ', ' : ',')}.`;
}

/** LISA's answer about a single target. */
function answerAlone(answer: string, targets: readonly PromptTarget[], variant: Variant): string {
  return answer.replace(SEG_TOKEN, answerTokens(targets, variant).join());
}

/** [SEG] or [REJ] for each target. */
function answerTokens(targets: readonly PromptTarget[], { reject, segTokens }: Variant): string[] {
  return targets.map(({ isEmpty }, place) => (isEmpty && reject ? REJ_TOKEN : segTokenAt(place, segTokens)));
}

/**
 * The answer that is put in the model's mouth (teacher forcing) in the reference's evaluation. Without expressions it is
 * the paper's "Sure, [SEG], [SEG].", or LISA's "[SEG]".
 */
export function evaluationAnswer(targets: readonly PromptTarget[], variant = GSVA_VARIANT): string {
  const tokens = answerTokens(targets, variant);
  if (!variant.expressionBeforeSeg) return variant.multipleSeg ? `Sure, ${tokens.join(', ')}.` : tokens.join();
  return `Sure,${targets.map(({ expression }, i) => `${expression}:${tokens[i]}`).join(', ')}.`;
}

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
export function questionOf(form: QuestionForm, expressions: readonly string[], variant = GSVA_VARIANT): string {
  const { multipleSeg } = variant;
  const all = expressions.join(', ');
  switch (form) {
    case 'reference':
      if (!multipleSeg) return validationQuestion(only(expressions), false);
      // A space too many before the question, none before "in this image": published figures were obtained so.
      return withImage(` What are ${all}in this image? Please output segmentation masks.`);
    case 'trained':
      if (multipleSeg) return withImage(fill(TRAINING_QUESTIONS[CHOSEN_QUESTION], all));
      return withImage(fill(SHORT_QUESTIONS[CHOSEN_QUESTION], only(expressions)));
    case 'reason-sentence':
    case 'reason-phrase':
      return validationQuestion(only(expressions), form === 'reason-sentence');
    case 'class':
      return withImage(` What is ${only(expressions)} in this image?`);
    default:
      return withImage(fill(PAPER_QUESTIONS[form], all));
  }
}

/**
 * The user's turn where the model answers freely. There is no published text to keep to: in place of the reference's
 * question, with its spaces too many and too few, stands the trained one.
 */
export function freeQuestionOf(form: QuestionForm, expressions: readonly string[], variant = GSVA_VARIANT): string {
  return questionOf(form === 'reference' ? 'trained' : form, expressions, variant);
}

/** The model's turn. ReasonSeg's is that of the reference, the one of ADE20K is the paper's (section D). */
export function answerOf(form: QuestionForm, targets: readonly PromptTarget[], variant = GSVA_VARIANT): string {
  if (form === 'trained') {
    // One of the training forms: "Sure, they are red circle:[SEG], green bar:[REJ]."
    const asked = variant.multipleSeg ? targets : [only(targets)];
    return isAlone(variant)
      ? answerAlone(ANSWERS[CHOSEN_ANSWER], asked, variant)
      : answerInForm(ANSWER_FORMS[CHOSEN_ANSWER], asked, 'res', variant);
  }
  if (!asksAlone(form)) return evaluationAnswer(targets, variant);
  const token = only(targets).isEmpty && variant.reject ? REJ_TOKEN : SEG_TOKEN;
  return form === 'class' ? `Sure, ${token}.` : token;
}

function only<T>(list: readonly T[]): T {
  const [first, ...others] = list;
  if (first === undefined || others.length > 0) {
    throw new Error(`prompts: this form asks about one expression, not ${list.length}`);
  }
  return first;
}
