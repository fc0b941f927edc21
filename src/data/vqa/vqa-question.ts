/** Questions about pictures that are answered in words, as evaluations take them. */
import { UserError } from '../../errors.js';
import { didYouMean } from '../../nearest-name.js';
import { RESERVED_TEXTS } from '../../special-tokens.js';
import { readVqaQuestions } from './llava-instruct.js';
import { type QuestionRecord, type QuestionSet, readQuestions, type VqaQuestion } from './question-set.js';
import { QUESTION_SETS } from './question-sets.js';

export type { VqaQuestion };

/** Names of the sets whose questions can be asked; "llava" is a list of one's own (`readVqaQuestions`). */
export const VQA_NAMES: readonly string[] = [...Object.keys(QUESTION_SETS), 'llava'];

/** Splits with answers, the usual one to evaluate on first. @throws UserError where there is no such set */
export function vqaSplits(set: string): readonly string[] {
  if (set === 'llava') return ['val'];
  const found = Object.hasOwn(QUESTION_SETS, set) ? QUESTION_SETS[set] : undefined;
  if (found === undefined) {
    throw new UserError(
      `There are no questions of a set "${set}"${didYouMean(set, VQA_NAMES)}; known are ${VQA_NAMES.join(', ')}.`,
    );
  }
  // What is trained on stands first there, what is evaluated on last: GQA's testdev, POPE in its usual order.
  return found.instruction === null ? found.splits : [...found.splits].reverse();
}

/**
 * Questions of a split in the order of the file, with all their answers. Pictures are not looked at.
 * @throws UserError where there is no such set or split, or a file is missing, malformed or empty
 */
export function openVqaQuestions(set: string, dataDir: string, split: string): VqaQuestion[] {
  const splits = vqaSplits(set);
  if (!splits.includes(split)) {
    throw new UserError(
      `The questions of ${set} have no split "${split}"${didYouMean(split, splits)}; they have ${splits.join(', ')}.`,
    );
  }
  const found = QUESTION_SETS[set];
  if (found === undefined) return readVqaQuestions(dataDir);
  const questions: VqaQuestion[] = [];
  readQuestions(found, dataDir, split, (record) => questions.push(checkedQuestion(found, record)));
  return questions;
}

/** The question of a record. @throws UserError where it would be read as special tokens */
export function checkedQuestion({ title }: QuestionSet, record: QuestionRecord): VqaQuestion {
  const { id, image, text, answers, category, source } = record;
  const reserved = RESERVED_TEXTS.find((token) => text.includes(token));
  if (reserved === undefined) return { id, image, text, answers, category };
  throw new UserError(
    `Reading ${title}: ${source}: the question contains ${reserved}, which is reserved. Leave it out.`,
  );
}
