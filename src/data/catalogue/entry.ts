/** Known facts of a dataset: places and sources of its files, and its authors' counts. */
import type { DatasetKind } from '../facts.js';

/** Counts of a dataset or one of its splits. What is not published, or does not apply, is absent. */
export interface Figures {
  readonly images?: number;
  readonly expressions?: number;
  /** Expressions that refer to several objects, and to none. */
  readonly multiTarget?: number;
  readonly noTarget?: number;
  readonly conversations?: number;
  /** Questions with an answer in a word or a phrase. */
  readonly questions?: number;
  /** Objects that are referred to, or annotated. */
  readonly objects?: number;
}

/** A file, or a folder of files, of the published layout. */
export interface Part {
  /** Below the data folder, with "/". */
  readonly path: string;
  /** Ending of the files in a folder; absent for a file. */
  readonly ending?: '.jpg' | '.png' | '.json' | '.txt';
  readonly holds: string;
  /** Files in the folder, or records in the file, as published. */
  readonly count?: number;
  /** About the size of the download, in bytes. */
  readonly bytes?: number;
  /** Its authors' address. */
  readonly source: string;
  /** Other datasets need it too, so its presence does not indicate this one. */
  readonly isShared?: true;
  /** Reason why training and evaluation can do without it. */
  readonly isOptional?: string;
}

export interface CatalogueEntry {
  /** As in a specification, such as "refcoco+". */
  readonly name: string;
  readonly title: string;
  readonly kind: DatasetKind;
  readonly parts: readonly Part[];
  /** Counts of its authors, or of those who divided it. */
  readonly published: {
    readonly total: Figures;
    /** By the names of the splits in the files. */
    readonly splits: Readonly<Record<string, Figures>>;
    /** Source of the counts. */
    readonly by: string;
  };
}

/** A folder of pictures, and of label maps. */
export function pictures(path: string, source: string, count?: number): Part {
  return { path, ending: '.jpg', holds: 'pictures', ...(count === undefined ? {} : { count }), source };
}
export function labelMaps(path: string, source: string, count: number): Part {
  return { path, ending: '.png', holds: 'label maps', count, source };
}

export const GB = 1e9;
export const MB = 1e6;

/** RefCOCO, RefCOCO+, RefCOCOg, gRefCOCO and most of Ref-ZOM. */
export const COCO_TRAIN_2014: Part = {
  ...pictures('refer_seg/images/mscoco/images/train2014', 'http://images.cocodataset.org/zips/train2014.zip', 82_783),
  bytes: 13 * GB,
  isShared: true,
};

export const COCO_VAL_2014: Part = {
  ...pictures('refer_seg/images/mscoco/images/val2014', 'http://images.cocodataset.org/zips/val2014.zip', 40_504),
  bytes: 6 * GB,
  isShared: true,
  isOptional: 'they may also lie in train2014, where the reference looks for them',
};

/** VQAv2, OK-VQA and POPE; a link to the folder of the referring datasets will do. */
export const COCO_2014_TRAIN: Part = { ...COCO_TRAIN_2014, path: 'coco/train2014' };

export const COCO_2014_VAL: Part = {
  ...pictures('coco/val2014', COCO_VAL_2014.source, 40_504),
  bytes: 6 * GB,
  isShared: true,
};

/** COCO-Stuff, PACO-LVIS and LLaVA-Instruct. */
export const COCO_TRAIN_2017: Part = {
  ...pictures('coco/train2017', 'http://images.cocodataset.org/zips/train2017.zip', 118_287),
  bytes: 18 * GB,
  isShared: true,
};
