/**
 * The questions and answers that GSVA is trained and evaluated with (paper, section 3 and supplement; reference:
 * model/llava/constants.py, data/*.py). Texts only: what is asked about comes from the datasets.
 */
import type { Random } from '../../random.js';
import { REJ_TOKEN, SEG_TOKEN, segTokenAt } from '../shared/decision-tokens.js';
import { GSVA_VARIANT, type Variant } from '../shared/variant.js';
import { ANSWERS, fill, SHORT_QUESTIONS, targetAnswer, withImage } from '../shared/lisa-prompts.js';

/** What a part of an answer needs to know of its target. */
export interface PromptTarget {
  readonly expression: string;
  readonly isEmpty: boolean;
}

/** Semantic segmentation joins the parts of an answer by ",", referring segmentation by ", " (the reference's). */
export type AnswerKind = 'res' | 'semseg';

/** {} is the list of expressions or classes. */
export const TRAINING_QUESTIONS = [
  'Can you segment {} in this image?',
  'Please segment {} in this image.',
  'What are {} in this image? Please respond with segmentation masks.',
  'What are {} in this image? Please output segmentation masks.',
] as const;

/** Question and answer that stand for the learned ones where one of each has to be chosen (`trainedQuestion`). */
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
 * The answer to it, in one of five forms, with [REJ] for targets that are not there. Letters keep their case. Variants
 * without expressions keep the forms' beginnings, or have LISA's answers where there is a single [SEG].
 */
export function trainingAnswer(
  random: Random,
  targets: readonly PromptTarget[],
  kind: AnswerKind,
  variant: Variant = GSVA_VARIANT,
): string {
  const { expressionBeforeSeg, multipleSeg } = variant;
  if (!expressionBeforeSeg && !multipleSeg) return answerAlone(targetAnswer(random), targets, variant);
  return answerInForm(random.pick(ANSWER_FORMS), targets, kind, variant);
}

/** One of the training questions: what a model is asked where no published text has to be kept to. */
export function trainedQuestion(expressions: readonly string[], { multipleSeg }: Variant = GSVA_VARIANT): string {
  const template = (multipleSeg ? TRAINING_QUESTIONS : SHORT_QUESTIONS)[CHOSEN_QUESTION];
  return withImage(fill(template, expressions.join(', ')));
}

/** The answer to `trainedQuestion` in one of the training forms: "Sure, they are red circle:[SEG], green bar:[REJ]." */
export function trainedAnswer(targets: readonly PromptTarget[], variant: Variant = GSVA_VARIANT): string {
  const { expressionBeforeSeg, multipleSeg } = variant;
  if (!expressionBeforeSeg && !multipleSeg) return answerAlone(ANSWERS[CHOSEN_ANSWER], targets, variant);
  return answerInForm(ANSWER_FORMS[CHOSEN_ANSWER], targets, 'res', variant);
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
 * The question that published figures were obtained with. The reference has a space too many before it and none before
 * "in this image"; its checkpoints were evaluated so.
 */
export function evaluationQuestion(expressions: readonly string[]): string {
  return withImage(` What are ${expressions.join(', ')}in this image? Please output segmentation masks.`);
}

/**
 * The answer that is put in the model's mouth (teacher forcing) in the reference's evaluation. Without expressions it is
 * the paper's "Sure, [SEG], [SEG].", or LISA's "[SEG]".
 */
export function evaluationAnswer(targets: readonly PromptTarget[], variant: Variant = GSVA_VARIANT): string {
  const tokens = answerTokens(targets, variant);
  if (!variant.expressionBeforeSeg) return variant.multipleSeg ? `Sure, ${tokens.join(', ')}.` : tokens.join();
  return `Sure,${targets.map(({ expression }, i) => `${expression}:${tokens[i]}`).join(', ')}.`;
}

/** A question of the paper's Table 6 about all the expressions. */
export function paperQuestion(form: keyof typeof PAPER_QUESTIONS, expressions: readonly string[]): string {
  return withImage(fill(PAPER_QUESTIONS[form], expressions.join(', ')));
}

/** ADE20K, evaluation: one question per class that is present. */
export function classEvaluationQuestion(name: string): string {
  return withImage(` What is ${name} in this image?`);
}
