/** The words with which the figures of each protocol were obtained, by the recorded questions and answers. */
import {
  ANSWER_FORMS,
  beforeDecision,
  formText,
  PAPER_QUESTIONS,
  PUBLISHED_ANSWER,
  TRAINING_QUESTIONS,
} from '../../systems/gsva/prompts.js';
import { IMAGE_PLACEHOLDER } from '../../special-tokens.js';
import type { GresProtocol } from '../metrics/gres-score.js';
import { recordsOf } from '../records/record-figures.js';
import type { RecordFile } from '../records/record.js';
import type { ImageRecord, RecordedReply } from '../records/record-types.js';

export interface AskedForm {
  readonly protocol: GresProtocol;
  /** The question as the model got it, without the image, {} in place of the expressions. */
  readonly question: string;
  /** The answer up to the first decision, {} for the expression; null for a free answer. */
  readonly answer: string | null;
  /** Whether question and answer are those of published figures. */
  readonly isPublished: boolean;
  /** The form in a few words: "as published", "a form of training", "Table 6, where", "the set's own". */
  readonly words: string;
}

/** One per protocol with a reply, by its first question about an image without refusals. */
export function askedForms({ header, images }: Pick<RecordFile, 'header' | 'images'>): AskedForm[] {
  return header.protocols.flatMap((protocol) => {
    for (const image of images) {
      const reply = image.replies.find((each) => each.protocol === protocol);
      if (reply === undefined) continue;
      const form = formOf(protocol, reply, image);
      return [PRESCRIBED.includes(header.benchmark) ? { ...form, words: "the set's own" } : form];
    }
    return [];
  });
}

/** Whether every answer under `reference` was asked for as published; true without recorded replies. */
export function isAskedAsPublished(images: readonly ImageRecord[]): boolean {
  return images.every((image) =>
    image.replies.every((reply) => {
      if (reply.protocol !== 'reference') return true;
      return formOf('reference', reply, image).isPublished;
    }),
  );
}

/** Benchmarks whose questions the dataset prescribes. */
const PRESCRIBED: readonly string[] = ['reason', 'sem-seg', 'lisa-reason'];
const PUBLISHED_QUESTION = formText('reference');

function formOf(protocol: GresProtocol, reply: RecordedReply, image: ImageRecord): AskedForm {
  const expressions = recordsOf([image], protocol).map(({ expression }) => expression);
  const text = reply.question.replace(IMAGE_PLACEHOLDER, '').trim();
  const question = patternOf(text, expressions);
  const answer = protocol === 'generate' ? null : answerPattern(reply.answer, expressions);
  const isPublished = question === PUBLISHED_QUESTION && answer === PUBLISHED_ANSWER;
  return { protocol, question, answer, isPublished, words: wordsOf(question, answer, isPublished) };
}

/** The text with {} from the first to the last of the expressions in it; the text itself where it has none. */
function patternOf(text: string, expressions: readonly string[]): string {
  const found = expressions.filter((expression) => expression !== '' && text.includes(expression));
  if (found.length === 0) return text;
  const from = Math.min(...found.map((expression) => text.indexOf(expression)));
  const to = Math.max(...found.map((expression) => text.lastIndexOf(expression) + expression.length));
  // An expression may occur in the words of the form itself ("image"): the known form around it decides.
  for (const form of [PUBLISHED_QUESTION, ...Object.values(PAPER_QUESTIONS), ...TRAINING_QUESTIONS]) {
    const [before = '', after = ''] = form.split('{}');
    const inside = text.slice(before.length, text.length - after.length);
    const isList = inside === inside.trim() && found.some((expression) => inside.startsWith(expression));
    if (isList && text.startsWith(before) && text.endsWith(after)) return form;
  }
  return `${text.slice(0, from)}{}${text.slice(to)}`;
}

/** "Sure,{}:[SEG]" of "Sure,cat:[REJ], a dog:[SEG]." */
function answerPattern(answer: string, expressions: readonly string[]): string {
  const { first, decision } = beforeDecision(answer);
  const expression = expressions
    .filter((each) => each !== '' && first.includes(each))
    .reduce((longest, each) => (each.length > longest.length ? each : longest), '');
  const text = expression === '' ? first : replaceLast(first, expression, '{}');
  return text + decision;
}

function replaceLast(text: string, part: string, by: string): string {
  const at = text.lastIndexOf(part);
  return text.slice(0, at) + by + text.slice(at + part.length);
}

function wordsOf(question: string, answer: string | null, isPublished: boolean): string {
  if (isPublished) return 'as published';
  const isTrained = ANSWER_FORMS.some(({ start, part }) => answer === `${start} ${part}`);
  if ((TRAINING_QUESTIONS as readonly string[]).includes(question)) {
    if (answer === null || isTrained) return 'a form of training';
  }
  const table6 = Object.entries(PAPER_QUESTIONS).find(([, text]) => text === question);
  return table6 === undefined ? 'another form' : `Table 6, ${table6[0]}`;
}

/** "What are {} in this image? … → Sure, they are {}:[SEG] … (a form of training)" */
export function formSentence({ question, answer, words }: AskedForm): string {
  return `“${question}”${answer === null ? '' : `, answered “${answer} …”`} (${words})`;
}
