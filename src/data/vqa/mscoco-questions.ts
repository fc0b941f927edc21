/**
 * VQAv2 (Goyal et al. 2017) and OK-VQA (Marino et al. 2019) in their published layouts, on COCO's pictures of 2014:
 *
 *   <dataDir>/vqav2/v2_OpenEnded_mscoco_{train2014,val2014}_questions.json, v2_mscoco_{…}_annotations.json
 *   <dataDir>/okvqa/OpenEnded_mscoco_{train2014,val2014}_questions.json, mscoco_{…}_annotations.json
 *   <dataDir>/coco/{train2014,val2014}/COCO_{…}_000000000042.jpg
 */
import { join } from 'node:path';
import { type JsonPlace, readJsonRecordLists } from '../annotation-files.js';
import {
  answerTexts,
  guarded,
  idOf,
  mostFrequent,
  type QuestionSet,
  type QuestionTaker,
  questionText,
  SHORT_ANSWER,
  UniqueIds,
} from './question-set.js';

/** Digits of an id in the names of COCO's pictures. */
const ID_DIGITS = 12;

interface AskedQuestion {
  readonly text: string;
  readonly imageId: number;
}

/** @param prefix of the files' names: that of the second version, or none */
function mscocoQuestions(title: string, folder: string, prefix: '' | 'v2_', advice: string): QuestionSet {
  const files = (dataDir: string, split: string): [string, string] => {
    const root = join(dataDir, folder);
    return [
      join(root, `${prefix}OpenEnded_mscoco_${split}2014_questions.json`),
      join(root, `${prefix}mscoco_${split}2014_annotations.json`),
    ];
  };
  const imageDir = (dataDir: string, split: string): string => join(dataDir, 'coco', `${split}2014`);
  return {
    title,
    instruction: SHORT_ANSWER,
    splits: ['train', 'val'],
    advice,
    files,
    imageDir,
    read: (dataDir, split, take) => {
      const [questionFile, annotationFile] = files(dataDir, split);
      const asked = readQuestions(title, questionFile, advice, take);
      const ids = new UniqueIds(annotationFile, take);
      const image = (id: number): string =>
        join(imageDir(dataDir, split), `COCO_${split}2014_${String(id).padStart(ID_DIGITS, '0')}.jpg`);
      readJsonRecordLists(title, annotationFile, advice, {
        annotations: (place, index) => {
          guarded(take, () => {
            const source = `annotations[${index}] of ${annotationFile}`;
            const id = idOf(place.key('question_id'));
            if (!ids.add(id, source)) return;
            const question = asked.get(id);
            asked.delete(id);
            if (question === undefined) {
              take.fault('broken reference', `${source}: ${questionFile} has no question with the id ${id}`);
              return;
            }
            if (place.key('image_id').integer() !== question.imageId) {
              place.key('image_id').fail(`${question.imageId}, as the question ${id} in ${questionFile} has it`);
            }
            const answers = answerTexts(place.key('answers'));
            take.record({
              id,
              image: image(question.imageId),
              text: question.text,
              answers,
              category: place.optional('answer_type')?.string() ?? '',
              taught: taughtAnswer(place) ?? mostFrequent(answers),
              source,
            });
          });
        },
      });
      const [unanswered] = asked.keys();
      if (unanswered === undefined) return;
      take.fault(
        'broken reference',
        `${annotationFile} lacks ${asked.size} of the questions of ${questionFile}, first that with the id ${unanswered}`,
      );
    },
  };
}

/** By id. */
function readQuestions(title: string, file: string, advice: string, take: QuestionTaker): Map<string, AskedQuestion> {
  const asked = new Map<string, AskedQuestion>();
  const ids = new UniqueIds(file, take);
  readJsonRecordLists(title, file, advice, {
    questions: (place, index) => {
      guarded(take, () => {
        const id = idOf(place.key('question_id'));
        if (!ids.add(id, `questions[${index}] of ${file}`)) return;
        const imageId = place.key('image_id').integer({ min: 0 });
        asked.set(id, { text: questionText(place.key('question')), imageId });
      });
    },
  });
  return asked;
}

/** The answer that VQAv2's authors chose; OK-VQA has none. */
function taughtAnswer(annotation: JsonPlace): string | null {
  return Object.hasOwn(annotation.value as object, 'multiple_choice_answer')
    ? annotation.key('multiple_choice_answer').string()
    : null;
}

const PICTURES = "COCO's train2014.zip and val2014.zip into <data>/coco";

export const VQAV2 = mscocoQuestions(
  'VQAv2',
  'vqav2',
  'v2_',
  `Unpack the four v2_*.zip of visualqa.org into <data>/vqav2, and ${PICTURES}.`,
);

export const OKVQA = mscocoQuestions(
  'OK-VQA',
  'okvqa',
  '',
  `Unpack the four zips of okvqa.allenai.org into <data>/okvqa, and ${PICTURES}.`,
);
