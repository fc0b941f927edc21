/** The datasets that are known: of semantic segmentation (objects, stuff and parts), VQA and reasoning here. */
import { COCO_TRAIN_2017, type CatalogueEntry, type Figures, labelMaps, MB, pictures } from './entry.js';
import { QUESTION_ENTRIES, YES_NO_ENTRIES } from './question-sets.js';
import { LISTED_ENTRIES } from './listed-sets.js';
import { GREFCOCO, REFCLEF, REFCOCO, REFCOCO_PLUS, REFCOCOG, REFCOCOG_GOOGLE, REFZOM } from './refer-sets.js';

/** Counts of a dataset with a single split. */
function publishedAs(split: string, total: Figures, by: string): CatalogueEntry['published'] {
  return { total, splits: { [split]: total }, by };
}

const ADE20K_ZIP = 'http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip';

const ADE20K: CatalogueEntry = {
  name: 'ade20k',
  title: 'ADE20K',
  kind: 'sem_seg',
  parts: [
    pictures('ade20k/images/training', ADE20K_ZIP, 20_210),
    labelMaps('ade20k/annotations/training', ADE20K_ZIP, 20_210),
    pictures('ade20k/images/validation', ADE20K_ZIP, 2_000),
    labelMaps('ade20k/annotations/validation', ADE20K_ZIP, 2_000),
  ],
  published: {
    total: { images: 22_210 },
    splits: { training: { images: 20_210 }, validation: { images: 2_000 } },
    by: 'the scene parsing challenge of 2016',
  },
};

const STUFF_MAPS =
  'http://calvin.inf.ed.ac.uk/wp-content/uploads/data/cocostuffdataset/stuffthingmaps_trainval2017.zip';

const COCO_STUFF: CatalogueEntry = {
  name: 'cocostuff',
  title: 'COCO-Stuff',
  kind: 'sem_seg',
  parts: [{ ...labelMaps('cocostuff/train2017', STUFF_MAPS, 118_287), bytes: 659 * MB }, COCO_TRAIN_2017],
  published: publishedAs('train', { images: 118_287 }, "Caesar et al. 2018: all of COCO's train2017"),
};

const MAPILLARY = 'https://www.mapillary.com/dataset/vistas';

const MAPILLARY_VISTAS: CatalogueEntry = {
  name: 'mapillary',
  title: 'Mapillary Vistas v2.0',
  kind: 'sem_seg',
  parts: [
    { path: 'mapillary/config_v2.0.json', holds: 'class names', source: MAPILLARY },
    pictures('mapillary/training/images', MAPILLARY, 18_000),
    labelMaps('mapillary/training/v2.0/labels', MAPILLARY, 18_000),
  ],
  published: publishedAs('training', { images: 18_000 }, 'Mapillary Research (training images)'),
};

const PACO_LVIS: CatalogueEntry = {
  name: 'paco_lvis',
  title: 'PACO-LVIS',
  kind: 'sem_seg',
  parts: [
    {
      path: 'vlpart/paco/annotations/paco_lvis_v1_train.json',
      holds: 'annotations of 45,790 images',
      source: 'https://dl.fbaipublicfiles.com/paco/annotations/paco_lvis_v1.zip',
    },
    COCO_TRAIN_2017,
  ],
  published: publishedAs(
    'train',
    { images: 45_790, objects: 612_188 },
    'PACO_DATASET.md of the authors (217,117 objects + 395,071 parts)',
  ),
};

const PASCAL_PART: CatalogueEntry = {
  name: 'pascal_part',
  title: 'PASCAL-Part',
  kind: 'sem_seg',
  parts: [
    {
      path: 'vlpart/pascal_part/train.json',
      holds: 'annotations (VLPart converts them)',
      source: 'https://github.com/facebookresearch/VLPart/tree/main/datasets#pascal-part',
    },
    pictures(
      'vlpart/pascal_part/VOCdevkit/VOC2010/JPEGImages',
      'http://host.robots.ox.ac.uk/pascal/VOC/voc2010/VOCtrainval_03-May-2010.tar',
    ),
  ],
  published: { total: {}, splits: {}, by: '' },
};

const LLAVA_INSTRUCT: CatalogueEntry = {
  name: 'llava_instruct_150k',
  title: 'LLaVA-Instruct-150K',
  kind: 'vqa',
  parts: [
    {
      path: 'llava_dataset/llava_instruct_150k.json',
      holds: 'conversations',
      count: 157_712,
      bytes: 229 * MB,
      source: 'https://huggingface.co/datasets/liuhaotian/LLaVA-Instruct-150K/blob/main/llava_instruct_150k.json',
    },
    COCO_TRAIN_2017,
  ],
  published: publishedAs(
    'train',
    { images: 81_479, conversations: 157_712 },
    'users of the published file; the authors say "158K"',
  ),
};

const REASON_SEG_FOLDER = 'https://github.com/dvlab-research/LISA#dataset';
const ROOT = 'reason_seg/ReasonSeg';

const REASON_SEG: CatalogueEntry = {
  name: 'reason_seg',
  title: 'ReasonSeg',
  kind: 'reason_seg',
  parts: [
    ...Object.entries({ train: 239, val: 200, test: 779 }).flatMap(([split, count]) => {
      const images = pictures(`${ROOT}/${split}`, REASON_SEG_FOLDER, count);
      const optional = split === 'test' ? { isOptional: 'only to be evaluated on' } : {};
      return [
        { ...images, ...optional },
        { ...images, ending: '.json' as const, holds: 'annotations', ...optional },
      ];
    }),
    { path: `${ROOT}/explanatory/train.json`, holds: 'explanations', source: REASON_SEG_FOLDER },
  ],
  published: {
    total: { images: 1_218 },
    splits: { train: { images: 239 }, val: { images: 200 }, test: { images: 779 } },
    by: 'LISA (README)',
  },
};

/** In the order of the published mixture's configuration, then those of evaluation alone. */
export const CATALOGUE: readonly CatalogueEntry[] = [
  ...[ADE20K, COCO_STUFF, PASCAL_PART, PACO_LVIS, MAPILLARY_VISTAS],
  ...[REFCLEF, REFCOCO, REFCOCO_PLUS, REFCOCOG, GREFCOCO],
  ...[LLAVA_INSTRUCT, REASON_SEG],
  ...QUESTION_ENTRIES,
  ...[REFCOCOG_GOOGLE, REFZOM],
  ...YES_NO_ENTRIES,
  ...LISTED_ENTRIES,
];
