/** The words with which the figures of each protocol were obtained, by the recorded questions and answers. */
import type { Dialogue } from '../../systems/system.js';
import { withoutImage } from '../conversations.js';
import { recordsOf } from '../records/record-figures.js';
import type { RecordFile } from '../records/record.js';
import type { ImageRecord, RecordedReply } from '../records/record-types.js';

/** Benchmarks whose questions the dataset prescribes. */
const PRESCRIBED: readonly string[] = ['reason', 'sem-seg', 'lisa-reason', 'one-pass-reason', 'one-pass-sem-seg'];

/** A sentence per protocol with a reply, by its first question about an image without refusals. */
export function askedForms(
  { header: { protocols, benchmark }, images }: Pick<RecordFile, 'header' | 'images'>,
  dialogue: Dialogue,
): (readonly [protocol: string, sentence: string])[] {
  return protocols.flatMap((protocol) => {
    for (const image of images) {
      const reply = image.replies.find((each) => each.protocol === protocol);
      if (reply === undefined) continue;
      const { question, answer, form } = formOf(reply, image, dialogue);
      const words = PRESCRIBED.includes(benchmark) ? "the set's own" : wordsOf(form);
      return [[protocol, `“${question}”${answer === null ? '' : `, answered “${answer} …”`} (${words})`] as const];
    }
    return [];
  });
}

/** Whether every answer under `reference` was asked for as published; true without recorded replies. */
export function isAskedAsPublished(images: readonly ImageRecord[], dialogue: Dialogue): boolean {
  return images.every((image) =>
    image.replies.every((reply) => {
      return reply.protocol !== 'reference' || formOf(reply, image, dialogue).form === 'reference';
    }),
  );
}

function wordsOf(form: string | undefined): string {
  if (form === 'reference') return 'as published';
  if (form === 'trained') return 'a form of training';
  return form === undefined ? 'another form' : `Table 6, ${form}`;
}

/**
 * The question without the image, {} in place of the expressions; the answer up to the first decision, as if that were
 * "found", null for a free one; and which of the system's forms has them.
 */
function formOf({ protocol, ...reply }: RecordedReply, image: ImageRecord, dialogue: Dialogue) {
  const known = dialogue.forms.map((form) => {
    const { user = '', assistant = '' } = dialogue.exam(['{}'], ['found'], form)[0]?.turn ?? {};
    return { form, question: withoutImage(user), answer: splitAtDecision(assistant).join('') };
  });
  const expressions = recordsOf([image], protocol).flatMap(({ expression }) => (expression === '' ? [] : expression));
  const questions = known.map(({ question }) => question);
  const question = patternOf(withoutImage(reply.question), expressions, questions);
  const answer = protocol === 'generate' ? null : answerPattern(reply.answer, expressions);
  const same = known.find((each) => each.question === question && (answer === null || each.answer === answer));
  return { question, answer, form: same?.form };
}

/** The text with {} from the first to the last of the expressions in it; the text itself where it has none. */
function patternOf(text: string, expressions: readonly string[], known: readonly string[]): string {
  const found = expressions.filter((expression) => text.includes(expression));
  if (found.length === 0) return text;
  const from = Math.min(...found.map((expression) => text.indexOf(expression)));
  const to = Math.max(...found.map((expression) => text.lastIndexOf(expression) + expression.length));
  // An expression may occur in the words of the form itself ("image"): the known form around it decides.
  for (const form of known) {
    const [before = '', after = ''] = form.split('{}');
    const inside = text.slice(before.length, text.length - after.length);
    const isList = inside === inside.trim() && found.some((expression) => inside.startsWith(expression));
    if (isList && text.startsWith(before) && text.endsWith(after)) return form;
  }
  return `${text.slice(0, from)}{}${text.slice(to)}`;
}

/** An answer up to its first decision, and that as it were for a target that is found; empty without one. */
function splitAtDecision(answer: string): readonly [first: string, decision: string] {
  const decided = /\[(?:SEG|REJ)[^\]]*\]/.exec(answer);
  if (decided === null) return [answer, ''];
  return [answer.slice(0, decided.index), decided[0].replace('REJ', 'SEG')];
}

/** "Sure,{}:[SEG]" of "Sure,cat:[REJ], a dog:[SEG]." */
function answerPattern(answer: string, expressions: readonly string[]): string {
  const [first, decision] = splitAtDecision(answer);
  const [longest] = expressions.filter((each) => first.includes(each)).sort((a, b) => b.length - a.length);
  if (longest === undefined) return first + decision;
  const at = first.lastIndexOf(longest);
  return `${first.slice(0, at)}{}${first.slice(at + longest.length)}${decision}`;
}
