/** The sets of questions with short answers by name, and training on those that have answers to learn. */
import { IMAGE_PLACEHOLDER } from '../../special-tokens.js';
import { type TrainingSet, trainingSet } from '../facts.js';
import { GQA, TEXTVQA, VIZWIZ } from './listed-questions.js';
import type { VqaRequest } from './llava-instruct.js';
import { OKVQA, VQAV2 } from './mscoco-questions.js';
import { type QuestionRecord, type QuestionSet, readQuestions } from './question-set.js';
import { MME, POPE } from './yes-no-questions.js';

/** In the order in which the published mixture has them, then those of evaluation alone. */
export const QUESTION_SETS: Readonly<Record<string, QuestionSet>> = {
  vqav2: VQAV2,
  okvqa: OKVQA,
  textvqa: TEXTVQA,
  vizwiz: VIZWIZ,
  gqa: GQA,
  pope: POPE,
  mme: MME,
};

/** A question and its answer as sentences, the picture in front, with the set's request for a short answer. */
export function taughtSentences(
  { instruction }: QuestionSet,
  { text, taught }: Pick<QuestionRecord, 'text' | 'taught'>,
) {
  return [
    { from: 'human', value: `${IMAGE_PLACEHOLDER}\n${text}${instruction ?? ''}` },
    { from: 'gpt', value: taught },
  ];
}

/**
 * Questions of a split to train on, one by one in the order of the file. What is said is looked into when it is used.
 * @throws UserError where a file is missing, malformed or empty
 */
export function openQuestionTraining(set: QuestionSet, dataDir: string, split: string): TrainingSet<VqaRequest> {
  const items: Pick<QuestionRecord, 'image' | 'text' | 'taught' | 'source'>[] = [];
  // Not the other answers: there are millions.
  readQuestions(set, dataDir, split, ({ image, text, taught, source }) => items.push({ image, text, taught, source }));
  return trainingSet(set.title, 'vqa', items, ({ image, source, ...said }) => {
    return { image, source, sentences: taughtSentences(set, said) };
  });
}
