/** The datasets of semantic segmentation: objects, stuff and parts. */
import { COCO_TRAIN_2017, MB, semSegSet } from './entry.js';

const ADE20K_ZIP = 'http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip';

export const ADE20K = semSegSet(
  'ade20k',
  'ADE20K',
  [
    { path: 'ade20k/images/training', ending: '.jpg', holds: 'pictures', count: 20_210, source: ADE20K_ZIP },
    { path: 'ade20k/annotations/training', ending: '.png', holds: 'label maps', count: 20_210, source: ADE20K_ZIP },
    { path: 'ade20k/images/validation', ending: '.jpg', holds: 'pictures', count: 2_000, source: ADE20K_ZIP },
    { path: 'ade20k/annotations/validation', ending: '.png', holds: 'label maps', count: 2_000, source: ADE20K_ZIP },
  ],
  {
    total: { images: 22_210 },
    splits: { training: { images: 20_210 }, validation: { images: 2_000 } },
    by: 'the scene parsing challenge of 2016',
  },
);

export const COCO_STUFF = semSegSet(
  'cocostuff',
  'COCO-Stuff',
  [
    {
      path: 'cocostuff/train2017',
      ending: '.png',
      holds: 'label maps',
      count: 118_287,
      bytes: 659 * MB,
      source: 'http://calvin.inf.ed.ac.uk/wp-content/uploads/data/cocostuffdataset/stuffthingmaps_trainval2017.zip',
    },
    COCO_TRAIN_2017,
  ],
  {
    total: { images: 118_287 },
    splits: { train: { images: 118_287 } },
    by: "Caesar et al. 2018: all of COCO's train2017",
  },
);

const MAPILLARY = 'https://www.mapillary.com/dataset/vistas';

export const MAPILLARY_VISTAS = semSegSet(
  'mapillary',
  'Mapillary Vistas v2.0',
  [
    { path: 'mapillary/config_v2.0.json', holds: 'class names', source: MAPILLARY },
    { path: 'mapillary/training/images', ending: '.jpg', holds: 'pictures', count: 18_000, source: MAPILLARY },
    { path: 'mapillary/training/v2.0/labels', ending: '.png', holds: 'label maps', count: 18_000, source: MAPILLARY },
  ],
  {
    total: { images: 18_000 },
    splits: { training: { images: 18_000 } },
    by: 'Mapillary Research (training images)',
  },
);

export const PACO_LVIS = semSegSet(
  'paco_lvis',
  'PACO-LVIS',
  [
    {
      path: 'vlpart/paco/annotations/paco_lvis_v1_train.json',
      holds: 'annotations of 45,790 images',
      source: 'https://dl.fbaipublicfiles.com/paco/annotations/paco_lvis_v1.zip',
    },
    COCO_TRAIN_2017,
  ],
  {
    total: { images: 45_790, objects: 612_188 },
    splits: { train: { images: 45_790, objects: 612_188 } },
    by: 'PACO_DATASET.md of the authors (217,117 objects + 395,071 parts)',
  },
);

export const PASCAL_PART = semSegSet(
  'pascal_part',
  'PASCAL-Part',
  [
    {
      path: 'vlpart/pascal_part/train.json',
      holds: 'annotations (VLPart converts them)',
      source: 'https://github.com/facebookresearch/VLPart/tree/main/datasets#pascal-part',
    },
    {
      path: 'vlpart/pascal_part/VOCdevkit/VOC2010/JPEGImages',
      ending: '.jpg',
      holds: 'pictures',
      source: 'http://host.robots.ox.ac.uk/pascal/VOC/voc2010/VOCtrainval_03-May-2010.tar',
    },
  ],
  { total: {}, splits: {}, by: '' },
);
