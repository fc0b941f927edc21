/**
 * TextVQA (Singh et al. 2019), VizWiz-VQA (Gurari et al. 2018) and GQA (Hudson and Manning 2019), whose files hold
 * questions and answers together:
 *
 *   <dataDir>/textvqa/TextVQA_0.5.1_{train,val}.json       on textvqa/train_images, for both splits
 *   <dataDir>/vizwiz/Annotations/{train,val}.json          on vizwiz/{train,val}
 *   <dataDir>/gqa/{train,val,testdev}_balanced_questions.json   on gqa/images
 */
import { join } from 'node:path';
import { readJsonRecordLists, readJsonRecordMap, readRecords } from '../annotation-files.js';
import {
  answerTexts,
  guarded,
  idOf,
  imageNamed,
  mostFrequent,
  type QuestionSet,
  questionText,
  SHORT_ANSWER,
  UniqueIds,
} from './question-set.js';

const TEXTVQA_ADVICE =
  'Put TextVQA_0.5.1_train.json and TextVQA_0.5.1_val.json into <data>/textvqa, and unpack train_val_images.zip there.';
const textVqaFile = (dataDir: string, split: string): string => join(dataDir, 'textvqa', `TextVQA_0.5.1_${split}.json`);
const textVqaImages = (dataDir: string): string => join(dataDir, 'textvqa', 'train_images');

export const TEXTVQA: QuestionSet = {
  title: 'TextVQA',
  instruction: SHORT_ANSWER,
  splits: ['train', 'val'],
  advice: TEXTVQA_ADVICE,
  files: (dataDir, split) => [textVqaFile(dataDir, split)],
  imageDir: textVqaImages,
  read: (dataDir, split, take) => {
    const file = textVqaFile(dataDir, split);
    const ids = new UniqueIds(file, take);
    readJsonRecordLists('TextVQA', file, TEXTVQA_ADVICE, {
      data: (place, index) => {
        guarded(take, () => {
          const source = `data[${index}] of ${file}`;
          const id = idOf(place.key('question_id'));
          if (!ids.add(id, source)) return;
          // Texts, other than in VQAv2.
          const answers = place
            .key('answers')
            .array()
            .map((answer) => answer.string());
          if (answers.length === 0) place.key('answers').fail('at least one answer');
          const image = imageNamed(textVqaImages(dataDir), place.key('image_id'), '.jpg');
          const text = questionText(place.key('question'));
          take.record({ id, image, text, answers, category: '', taught: mostFrequent(answers), source });
        });
      },
    });
  },
};

const VIZWIZ_ADVICE = 'Unpack Annotations.zip, train.zip and val.zip of vizwiz.org into <data>/vizwiz.';
const vizWizFile = (dataDir: string, split: string): string => join(dataDir, 'vizwiz', 'Annotations', `${split}.json`);
const vizWizImages = (dataDir: string, split: string): string => join(dataDir, 'vizwiz', split);

export const VIZWIZ: QuestionSet = {
  title: 'VizWiz-VQA',
  instruction: ` When the provided information is insufficient, respond with 'Unanswerable'.${SHORT_ANSWER}`,
  splits: ['train', 'val'],
  advice: VIZWIZ_ADVICE,
  files: (dataDir, split) => [vizWizFile(dataDir, split)],
  imageDir: vizWizImages,
  read: (dataDir, split, take) => {
    const file = vizWizFile(dataDir, split);
    const ids = new UniqueIds(file, take);
    readRecords('VizWiz-VQA', file, VIZWIZ_ADVICE, (place, index) => {
      guarded(take, () => {
        const source = `record [${index}] of ${file}`;
        // Each picture is asked about once.
        const name = place.key('image').fileName(true);
        if (!ids.add(name, source)) return;
        const answers = answerTexts(place.key('answers'));
        take.record({
          id: name,
          image: join(vizWizImages(dataDir, split), name),
          text: questionText(place.key('question')),
          answers,
          category: place.optional('answer_type')?.string() ?? '',
          taught: mostFrequent(answers),
          source,
        });
      });
    });
  },
};

const GQA_ADVICE = 'Unpack questions1.2.zip and images.zip of the GQA site into <data>/gqa.';
const gqaFile = (dataDir: string, split: string): string => join(dataDir, 'gqa', `${split}_balanced_questions.json`);
const gqaImages = (dataDir: string): string => join(dataDir, 'gqa', 'images');

export const GQA: QuestionSet = {
  title: 'GQA',
  instruction: SHORT_ANSWER,
  splits: ['train', 'val', 'testdev'],
  advice: GQA_ADVICE,
  files: (dataDir, split) => [gqaFile(dataDir, split)],
  imageDir: gqaImages,
  read: (dataDir, split, take) => {
    const file = gqaFile(dataDir, split);
    const ids = new UniqueIds(file, take);
    readJsonRecordMap('GQA', file, GQA_ADVICE, (place, id) => {
      guarded(take, () => {
        const source = `"${id}" of ${file}`;
        if (!ids.add(id, source)) return;
        const answer = place.key('answer').string();
        take.record({
          id,
          image: imageNamed(gqaImages(dataDir), place.key('imageId'), '.jpg'),
          text: questionText(place.key('question')),
          answers: [answer],
          category: place.optional('types')?.optional('structural')?.string() ?? '',
          taught: answer,
          source,
        });
      });
    });
  },
};
