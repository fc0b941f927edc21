/** The datasets of semantic segmentation: objects, stuff and parts. */
import { COCO_TRAIN_2017, type CatalogueEntry, MB } from './entry.js';

const ADE20K_ZIP = 'http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip';

export const ADE20K: CatalogueEntry = {
  name: 'ade20k',
  title: 'ADE20K',
  kind: 'sem_seg',
  parts: [
    { path: 'ade20k/images/training', ending: '.jpg', holds: 'pictures', count: 20_210, source: ADE20K_ZIP },
    { path: 'ade20k/annotations/training', ending: '.png', holds: 'label maps', count: 20_210, source: ADE20K_ZIP },
    { path: 'ade20k/images/validation', ending: '.jpg', holds: 'pictures', count: 2_000, source: ADE20K_ZIP },
    { path: 'ade20k/annotations/validation', ending: '.png', holds: 'label maps', count: 2_000, source: ADE20K_ZIP },
  ],
  published: {
    total: { images: 22_210 },
    splits: { training: { images: 20_210 }, validation: { images: 2_000 } },
    by: 'the scene parsing challenge of 2016',
  },
};

export const COCO_STUFF: CatalogueEntry = {
  name: 'cocostuff',
  title: 'COCO-Stuff',
  kind: 'sem_seg',
  parts: [
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
  published: {
    total: { images: 118_287 },
    splits: { train: { images: 118_287 } },
    by: "Caesar et al. 2018: all of COCO's train2017",
  },
};

const MAPILLARY = 'https://www.mapillary.com/dataset/vistas';

export const MAPILLARY_VISTAS: CatalogueEntry = {
  name: 'mapillary',
  title: 'Mapillary Vistas v2.0',
  kind: 'sem_seg',
  parts: [
    { path: 'mapillary/config_v2.0.json', holds: 'class names', source: MAPILLARY },
    { path: 'mapillary/training/images', ending: '.jpg', holds: 'pictures', count: 18_000, source: MAPILLARY },
    { path: 'mapillary/training/v2.0/labels', ending: '.png', holds: 'label maps', count: 18_000, source: MAPILLARY },
  ],
  published: {
    total: { images: 18_000 },
    splits: { training: { images: 18_000 } },
    by: 'Mapillary Research (training images)',
  },
};

export const PACO_LVIS: CatalogueEntry = {
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
  published: {
    total: { images: 45_790, objects: 612_188 },
    splits: { train: { images: 45_790, objects: 612_188 } },
    by: 'PACO_DATASET.md of the authors (217,117 objects + 395,071 parts)',
  },
};

export const PASCAL_PART: CatalogueEntry = {
  name: 'pascal_part',
  title: 'PASCAL-Part',
  kind: 'sem_seg',
  parts: [
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
  published: { total: {}, splits: {}, by: '' },
};
