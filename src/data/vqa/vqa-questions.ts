/**
 * Questions with one-word answers: LLaVA's evaluation list (question_id, image, text, category) with the answers, since
 * LLaVA-Instruct has no held-out part: <dataDir>/llava_dataset/questions_val.json on <dataDir>/coco/val2017.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../errors.js';
import { type JsonPlace, readRecords } from '../annotation-files.js';
import { IMAGE_PLACEHOLDER, RESERVED_TEXTS } from '../../special-tokens.js';
import { gsvaCommand } from '../../program.js';

const NAME = 'VQA questions';
const ADVICE = `Write a synthetic list with \`${gsvaCommand('data synth --out FOLDER --mixture 600')}\`, or put your own there.`;

export interface VqaQuestion {
  readonly image: string;
  readonly text: string;
  readonly answer: string;
  readonly category: string;
}

/** @throws UserError where the file is missing, malformed or empty */
export function readVqaQuestions(dataDir: string): VqaQuestion[] {
  const file = join(dataDir, 'llava_dataset', 'questions_val.json');
  if (!existsSync(file)) throw new UserError(`Reading ${NAME}: ${file} is missing. ${ADVICE}`);
  const images = join(dataDir, 'coco', 'val2017');
  const questions: VqaQuestion[] = [];
  readRecords(NAME, file, ADVICE, (record) => questions.push(readQuestion(record, images)));
  if (questions.length === 0) throw new UserError(`Reading ${NAME}: ${file} is an empty list. ${ADVICE}`);
  return questions;
}

function readQuestion(record: JsonPlace, images: string): VqaQuestion {
  const text = record.key('text');
  const reserved = [IMAGE_PLACEHOLDER, ...RESERVED_TEXTS].find((token) => text.text().includes(token));
  if (reserved !== undefined || text.text().trim() === '') throw text.wrong('a question without reserved tokens');
  return {
    image: join(images, record.key('image').fileName(true)),
    text: text.text(),
    answer: record.key('answer').text(),
    category: record.key('category').text(),
  };
}
