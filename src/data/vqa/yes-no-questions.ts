/**
 * POPE (Li et al. 2023) and MME (Fu et al. 2023), benchmarks whose answers are yes or no:
 *
 *   <dataDir>/pope/coco_pope_{random,popular,adversarial}.json   JSON lines, on coco/val2014
 *   <dataDir>/mme/MME_Benchmark_release_version/<task>/          pictures, each with a .txt of its questions: in one folder,
 *                                                                or in images/ and questions_answers_YN/
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, UserError } from '../../errors.js';
import { readTextLines, type TextLine } from '../../io/text-lines.js';
import { JsonPlace } from '../annotation-files.js';
import { guarded, idOf, type QuestionSet, type QuestionTaker, questionText, UniqueIds } from './question-set.js';

/** The published lines have up to 200 bytes. */
const LONGEST_LINE = 2 ** 16;

const POPE_ADVICE =
  "Put coco_pope_random.json, coco_pope_popular.json and coco_pope_adversarial.json into <data>/pope, and unpack COCO's " +
  'val2014.zip into <data>/coco.';
const popeFile = (dataDir: string, split: string): string => join(dataDir, 'pope', `coco_pope_${split}.json`);
const popeImages = (dataDir: string): string => join(dataDir, 'coco', 'val2014');

export const POPE: QuestionSet = {
  title: 'POPE',
  instruction: null,
  splits: ['random', 'popular', 'adversarial'],
  advice: POPE_ADVICE,
  files: (dataDir, split) => [popeFile(dataDir, split)],
  imageDir: popeImages,
  read: (dataDir, split, take) => {
    const file = popeFile(dataDir, split);
    const ids = new UniqueIds(file, take);
    for (const line of readTextLines(file, 'POPE', LONGEST_LINE)) {
      if (line.text.trim() === '' && line.fault === null) continue;
      guarded(take, () => {
        const source = `line ${line.number} of ${file}`;
        const place = jsonLine(line, 'POPE', file);
        const id = idOf(place.key('question_id'));
        if (!ids.add(id, source)) return;
        const answer = place.key('label').oneOf(['yes', 'no']);
        const image = join(popeImages(dataDir), place.key('image').fileName(true));
        const text = questionText(place.key('text'));
        take.record({ id, image, text, answers: [answer], category: split, taught: answer, source });
      });
    }
  },
};

function jsonLine({ text, number, fault }: TextLine, name: string, file: string): JsonPlace {
  try {
    if (fault !== null) throw new Error(fault);
    return new JsonPlace(null, name, file).at(JSON.parse(text), `line ${number}`);
  } catch (error) {
    throw new UserError(
      `Reading ${name}: line ${number} of ${file} is no JSON object (${messageOf(error)}). Use the published file.`,
    );
  }
}

/** The fourteen tasks of MME: ten of perception, then four of cognition. */
export const MME_TASKS = [
  ...['existence', 'count', 'position', 'color', 'posters', 'celebrity', 'scene', 'landmark', 'artwork', 'OCR'],
  ...['commonsense_reasoning', 'numerical_calculation', 'text_translation', 'code_reasoning'],
];

/** Folder of the tasks: the archive's, with or without a folder within, or its contents. */
function mmeRoot(dataDir: string): string {
  const root = join(dataDir, 'mme');
  const archive = join(root, 'MME_Benchmark_release_version');
  return [join(archive, 'MME_Benchmark'), archive].find((dir) => existsSync(dir)) ?? root;
}

const MME_ADVICE = 'Unpack MME_Benchmark_release_version.zip into <data>/mme.';

export const MME: QuestionSet = {
  title: 'MME',
  instruction: null,
  splits: ['test'],
  advice: MME_ADVICE,
  files: (dataDir) => MME_TASKS.map((task) => join(mmeRoot(dataDir), task)),
  imageDir: mmeRoot,
  read: (dataDir, _split, take) => {
    for (const task of MME_TASKS) readMmeTask(join(mmeRoot(dataDir), task), task, take);
  },
};

/** The questions of a task, by the names of its files. */
function readMmeTask(folder: string, task: string, take: QuestionTaker): void {
  const [textDir, pictureDir] = ['questions_answers_YN', 'images'].map((name) => {
    const within = join(folder, name);
    return existsSync(within) ? within : folder;
  }) as [string, string];
  const pictures = new Map(namesIn(pictureDir, /\.(jpg|png)$/).map((name) => [name.slice(0, -'.jpg'.length), name]));
  const texts = namesIn(textDir, /\.txt$/);
  if (texts.length === 0) throw new UserError(`Reading MME: ${textDir} has no .txt files. ${MME_ADVICE}`);
  for (const name of texts) {
    const file = join(textDir, name);
    const stem = name.slice(0, -'.txt'.length);
    const picture = pictures.get(stem);
    pictures.delete(stem);
    if (picture === undefined) take.fault('broken reference', `${file}: ${pictureDir} has no picture of that name`);
    else readMmeFile(file, { image: join(pictureDir, picture), category: task, stem }, take);
  }
  for (const name of pictures.values()) {
    take.fault('broken reference', `${join(pictureDir, name)}: ${textDir} has no questions about it`);
  }
}

interface MmePicture {
  readonly image: string;
  readonly category: string;
  readonly stem: string;
}

/** Lines "question<tab>Yes", two a picture as published. */
function readMmeFile(file: string, { image, category, stem }: MmePicture, take: QuestionTaker): void {
  let questions = 0;
  for (const { text, number, fault } of readTextLines(file, 'MME', LONGEST_LINE)) {
    if (text.trim() === '' && fault === null) continue;
    questions++;
    const [question = '', label = '', ...more] = text.replace(/\r$/, '').split('\t');
    const answer = label.trim().toLowerCase();
    const isSound = question.trim() !== '' && (answer === 'yes' || answer === 'no') && more.join('').trim() === '';
    const source = `line ${number} of ${file}`;
    if (fault !== null || !isSound) {
      const found = fault ?? JSON.stringify(text.slice(0, 60));
      take.fault('unusable record', `Reading MME: ${source} is ${found}; expected a question, a tab, and Yes or No`);
      continue;
    }
    const id = `${category}/${stem}/${questions}`;
    take.record({ id, image, text: question, answers: [answer], category, taught: answer, source });
  }
  if (questions === 2) return;
  take.fault('unusable record', `Reading MME: ${file} has ${questions} questions; expected two about a picture`);
}

/** Sorted names of a folder's files. @throws UserError where it is missing */
function namesIn(folder: string, pattern: RegExp): string[] {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new UserError(`Reading MME: ${folder} is missing. ${MME_ADVICE}`);
  }
  return readdirSync(folder)
    .filter((name) => pattern.test(name) && !name.startsWith('.'))
    .sort();
}
