/**
 * Questions and answers about one target, as LISA (Lai et al. 2024) is trained and evaluated with them. Systems built on
 * it have them, too. The texts are data: a model knows them word by word.
 */
import type { Turn } from '../../data/text/conversation.js';
import type { Random } from '../../random.js';
import { IMAGE_PLACEHOLDER } from '../../special-tokens.js';

/** {} is an expression or the name of a class. */
export const SHORT_QUESTIONS = [
  'Can you segment the {} in this image?',
  'Please segment the {} in this image.',
  'What is {} in this image? Please respond with segmentation mask.',
  'What is {} in this image? Please output segmentation mask.',
] as const;
/** {} is a whole sentence. */
export const LONG_QUESTIONS = [
  '{} Please respond with segmentation mask.',
  '{} Please output segmentation mask.',
] as const;
export const ANSWERS = [
  'It is [SEG].',
  'Sure, [SEG].',
  'Sure, it is [SEG].',
  'Sure, the segmentation result is [SEG].',
  '[SEG].',
] as const;

/** Behind a question whose answer is mask and explanation. */
export const EXPLANATION_REQUESTS = [
  'Please output segmentation mask and explain why.',
  'Please output segmentation mask and explain the reason.',
  'Please output segmentation mask and give some explanation.',
] as const;

/** Share of the explained pictures that are answered by the explanation alone; the others half and half with a mask. */
export const EXPLANATION_ONLY_SHARE = 0.1;

/** Answer about a picture whose target is explained. */
export type ExplanationMode = 'mask' | 'mask-and-explanation' | 'explanation';

/** Not `String.replace`, which would read "$&" in a text as a pattern. */
export function fill(template: string, text: string): string {
  return template.split('{}').join(text);
}

/** A question with the picture in front. */
export function withImage(question: string): string {
  return `${IMAGE_PLACEHOLDER}\n${question}`;
}

/** Turn of a person's free question; the picture stands in the first one. */
export function chatTurn(question: string, isFirst: boolean): Turn {
  return { user: isFirst ? withImage(question) : question, assistant: null };
}

/** Training question: a sentence is asked as it stands, a phrase in lower case within a question. */
export function targetQuestion(random: Random, text: string, isSentence: boolean): string {
  if (isSentence) return withImage(fill(random.pick(LONG_QUESTIONS), text));
  return withImage(fill(random.pick(SHORT_QUESTIONS), text.toLowerCase()));
}

export function targetAnswer(random: Random): string {
  return random.pick(ANSWERS);
}

/** Validation question, which has a space behind the line break. */
export function validationQuestion(text: string, isSentence: boolean): string {
  return withImage(` ${fill(isSentence ? LONG_QUESTIONS[1] : SHORT_QUESTIONS[3], text.trim())}`);
}

/** One draw per picture. */
export function explanationMode(random: Random, alone = EXPLANATION_ONLY_SHARE): ExplanationMode {
  if (random.uniform() < alone) return 'explanation';
  return random.pick(['mask', 'mask-and-explanation']);
}

/** @param requests ways to ask for an explanation, which differ by system */
export function explainedTurn(
  random: Random,
  mode: ExplanationMode,
  { text, isSentence }: { readonly text: string; readonly isSentence: boolean },
  explanation: string,
  requests: readonly string[],
): { readonly user: string; readonly assistant: string } {
  if (mode === 'mask') return { user: targetQuestion(random, text, isSentence), assistant: targetAnswer(random) };
  if (mode === 'explanation') return { user: withImage(text), assistant: explanation };
  return { user: withImage(`${text} ${random.pick(requests)}`), assistant: `${targetAnswer(random)} ${explanation}` };
}
