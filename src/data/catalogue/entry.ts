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
  /** Objects that are referred to, or annotated. */
  readonly objects?: number;
}

/** A file, or a folder of files, of the published layout. */
export interface Part {
  /** Below the data folder, with "/". */
  readonly path: string;
  /** Ending of the files in a folder; absent for a file. */
  readonly ending?: '.jpg' | '.png' | '.json';
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

/** Counts of its authors, or of those who divided it. */
interface Published {
  readonly total: Figures;
  /** By the names of the splits in the files. */
  readonly splits: Readonly<Record<string, Figures>>;
  /** Source of the counts. */
  readonly by: string;
}

export interface CatalogueEntry {
  /** As in a specification, such as "refcoco+". */
  readonly name: string;
  readonly title: string;
  readonly kind: DatasetKind;
  readonly parts: readonly Part[];
  readonly published: Published;
}

/** Entry of a dataset for referring segmentation. */
export function referSet(name: string, title: string, parts: readonly Part[], published: Published): CatalogueEntry {
  return { name, title, kind: 'refer_seg', parts, published };
}

/** Entry of a dataset for semantic segmentation. */
export function semSegSet(name: string, title: string, parts: readonly Part[], published: Published): CatalogueEntry {
  return { name, title, kind: 'sem_seg', parts, published };
}

export const GB = 1e9;
export const MB = 1e6;

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
