/**
 * The sets of questions with short answers, and the two benchmarks answered by yes or no. Counts of images that the
 * authors do not give are those of the published files.
 */
import { type CatalogueEntry, COCO_2014_TRAIN, COCO_2014_VAL, type Part, pictures } from './entry.js';

const EVALUATED = { isOptional: 'only to be evaluated on' } as const;

function questionSet(
  name: string,
  title: string,
  parts: readonly Part[],
  published: CatalogueEntry['published'],
): CatalogueEntry {
  return { name, title, kind: 'vqa', parts, published };
}

function file(path: string, holds: string, source: string, count?: number): Part {
  return { path, holds, source, ...(count === undefined ? {} : { count }) };
}

const VQA = 'https://s3.amazonaws.com/cvmlp/vqa/mscoco/vqa';

const VQAV2 = questionSet(
  'vqav2',
  'VQAv2',
  [
    file(
      'vqav2/v2_OpenEnded_mscoco_train2014_questions.json',
      'questions',
      `${VQA}/v2_Questions_Train_mscoco.zip`,
      443_757,
    ),
    file('vqav2/v2_mscoco_train2014_annotations.json', 'answers', `${VQA}/v2_Annotations_Train_mscoco.zip`, 443_757),
    COCO_2014_TRAIN,
    {
      ...file(
        'vqav2/v2_OpenEnded_mscoco_val2014_questions.json',
        'questions',
        `${VQA}/v2_Questions_Val_mscoco.zip`,
        214_354,
      ),
      ...EVALUATED,
    },
    {
      ...file('vqav2/v2_mscoco_val2014_annotations.json', 'answers', `${VQA}/v2_Annotations_Val_mscoco.zip`, 214_354),
      ...EVALUATED,
    },
    { ...COCO_2014_VAL, ...EVALUATED },
  ],
  {
    total: { images: 123_287, questions: 658_111 },
    splits: { train: { images: 82_783, questions: 443_757 }, val: { images: 40_504, questions: 214_354 } },
    by: 'visualqa.org; images: all of COCO of 2014',
  },
);

const OKVQA_DATA = 'https://okvqa.allenai.org/static/data';
const okvqaFile = (name: string, holds: string, count: number): Part =>
  file(`okvqa/${name}`, holds, `${OKVQA_DATA}/${name}.zip`, count);

const OKVQA = questionSet(
  'okvqa',
  'OK-VQA',
  [
    okvqaFile('OpenEnded_mscoco_train2014_questions.json', 'questions', 9_009),
    okvqaFile('mscoco_train2014_annotations.json', 'answers', 9_009),
    COCO_2014_TRAIN,
    { ...okvqaFile('OpenEnded_mscoco_val2014_questions.json', 'questions', 5_046), ...EVALUATED },
    { ...okvqaFile('mscoco_val2014_annotations.json', 'answers', 5_046), ...EVALUATED },
    { ...COCO_2014_VAL, ...EVALUATED },
  ],
  {
    total: { images: 14_031, questions: 14_055 },
    splits: { train: { questions: 9_009 }, val: { questions: 5_046 } },
    by: 'Marino et al. 2019 (its test questions are those of val2014)',
  },
);

const TEXTVQA_FILES = 'https://dl.fbaipublicfiles.com/textvqa';

const TEXTVQA = questionSet(
  'textvqa',
  'TextVQA v0.5.1',
  [
    file('textvqa/TextVQA_0.5.1_train.json', 'questions', `${TEXTVQA_FILES}/data/TextVQA_0.5.1_train.json`, 34_602),
    {
      ...file('textvqa/TextVQA_0.5.1_val.json', 'questions', `${TEXTVQA_FILES}/data/TextVQA_0.5.1_val.json`, 5_000),
      ...EVALUATED,
    },
    pictures('textvqa/train_images', `${TEXTVQA_FILES}/images/train_val_images.zip`, 25_119),
  ],
  {
    total: { images: 25_119, questions: 39_602 },
    splits: { train: { images: 21_953, questions: 34_602 }, val: { images: 3_166, questions: 5_000 } },
    by: 'textvqa.org (train and val)',
  },
);

const VIZWIZ_FILES = 'https://vizwiz.cs.colorado.edu/VizWiz_final';
const VIZWIZ_ANNOTATIONS = `${VIZWIZ_FILES}/vqa_data/Annotations.zip`;

const VIZWIZ = questionSet(
  'vizwiz',
  'VizWiz-VQA',
  [
    file('vizwiz/Annotations/train.json', 'questions', VIZWIZ_ANNOTATIONS, 20_523),
    pictures('vizwiz/train', `${VIZWIZ_FILES}/images/train.zip`, 20_523),
    { ...file('vizwiz/Annotations/val.json', 'questions', VIZWIZ_ANNOTATIONS, 4_319), ...EVALUATED },
    { ...pictures('vizwiz/val', `${VIZWIZ_FILES}/images/val.zip`, 4_319), ...EVALUATED },
  ],
  {
    total: { images: 24_842, questions: 24_842 },
    splits: { train: { images: 20_523, questions: 20_523 }, val: { images: 4_319, questions: 4_319 } },
    by: 'vizwiz.org (train and val), a picture for each question',
  },
);

const GQA_FILES = 'https://downloads.cs.stanford.edu/nlp/data/gqa';
const gqaFile = (split: string, count: number): Part =>
  file(`gqa/${split}_balanced_questions.json`, 'questions', `${GQA_FILES}/questions1.2.zip`, count);

const GQA = questionSet(
  'gqa',
  'GQA, balanced',
  [
    gqaFile('train', 943_000),
    pictures('gqa/images', `${GQA_FILES}/images.zip`, 148_854),
    { ...gqaFile('val', 132_062), ...EVALUATED },
    { ...gqaFile('testdev', 12_578), ...EVALUATED },
  ],
  {
    total: { images: 82_772, questions: 1_087_640 },
    splits: {
      train: { images: 72_140, questions: 943_000 },
      val: { images: 10_234, questions: 132_062 },
      testdev: { images: 398, questions: 12_578 },
    },
    by: 'Hudson and Manning 2019, version 1.2',
  },
);

const POPE_FILES = 'https://github.com/RUCAIBox/POPE/tree/main/output/coco';
const POPE_SPLITS = ['random', 'popular', 'adversarial'];

const POPE = questionSet(
  'pope',
  'POPE',
  [...POPE_SPLITS.map((split) => file(`pope/coco_pope_${split}.json`, 'questions', POPE_FILES, 3_000)), COCO_2014_VAL],
  {
    total: { questions: 9_000 },
    splits: Object.fromEntries(POPE_SPLITS.map((split) => [split, { images: 500, questions: 3_000 }])),
    by: 'Li et al. 2023: the same 500 pictures three times (an earlier file of random has 2,910 questions)',
  },
);

const MME = questionSet(
  'mme',
  'MME',
  [
    {
      path: 'mme',
      ending: '.txt',
      holds: 'files of questions, next to the pictures of fourteen tasks',
      count: 1_187,
      source: 'https://github.com/BradyFU/Awesome-Multimodal-Large-Language-Models/tree/Evaluation',
    },
  ],
  {
    total: { images: 1_187, questions: 2_374 },
    splits: { test: { images: 1_187, questions: 2_374 } },
    by: 'Fu et al. 2023: two questions about each picture',
  },
);

/** Sets to train and evaluate on, and benchmarks. */
export const QUESTION_ENTRIES = [VQAV2, OKVQA, TEXTVQA, VIZWIZ, GQA];
export const YES_NO_ENTRIES = [POPE, MME];
