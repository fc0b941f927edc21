/** Folders of pictures that several datasets share. Counts and sizes: https://cocodataset.org/#download. */
import { GB, type Part } from './entry.js';

const COCO = { ending: '.jpg', holds: 'pictures', isShared: true } as const;

/** RefCOCO, RefCOCO+, RefCOCOg, gRefCOCO and most of Ref-ZOM. */
export const COCO_TRAIN_2014: Part = {
  ...COCO,
  path: 'refer_seg/images/mscoco/images/train2014',
  count: 82_783,
  bytes: 13 * GB,
  source: 'http://images.cocodataset.org/zips/train2014.zip',
};

export const COCO_VAL_2014: Part = {
  ...COCO,
  path: 'refer_seg/images/mscoco/images/val2014',
  count: 40_504,
  bytes: 6 * GB,
  source: 'http://images.cocodataset.org/zips/val2014.zip',
  isOptional: 'they may also lie in train2014, where the reference looks for them',
};

/** COCO-Stuff, PACO-LVIS and LLaVA-Instruct. */
export const COCO_TRAIN_2017: Part = {
  ...COCO,
  path: 'coco/train2017',
  count: 118_287,
  bytes: 18 * GB,
  source: 'http://images.cocodataset.org/zips/train2017.zip',
};
