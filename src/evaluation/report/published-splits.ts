/**
 * Published splits of the paper's tables: numbers of images and expressions, and names of files. A run is compared with
 * published figures only where all of this agrees (see publication.ts).
 */
import { CATALOGUE } from '../../data/catalogue/catalogue.js';

export interface PublishedSplit {
  readonly images: number;
  /** Null where it is not published. */
  readonly expressions: number | null;
  /** The form of every image's file name; null where the names are free. */
  readonly fileName: RegExp | null;
}

/**
 * Expressions by split. RefCOCO: FlagEval; RefCOCO+ and RefCOCOg: the sums of all splits are those of Ref-L4's README
 * (21,373 and 14,498). gRefCOCO: with the 209,344 of train they are the 259,859 of the released grefs(unc).json
 * (henghuiding/gRefCOCO, issue 6; the paper's 278,232 include some that were never released). ReasonSeg: one text per
 * image is asked.
 */
const EXPRESSIONS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  grefcoco: { val: 16_870, testA: 18_712, testB: 14_933 },
  refcoco: { val: 10_834, testA: 5_657, testB: 5_095 },
  'refcoco+': { val: 10_758, testA: 5_726, testB: 4_889 },
  refcocog: { val: 4_896, test: 9_602 },
  reason_seg: { val: 200, test: 779 },
};

const COCO_NAME = /^COCO_(?:train|val)2014_\d{12}(?:_\d+)?\.jpg$/;

const FILE_NAMES: Readonly<Record<string, RegExp>> = {
  grefcoco: COCO_NAME,
  refcoco: COCO_NAME,
  'refcoco+': COCO_NAME,
  refcocog: COCO_NAME,
  refzom: COCO_NAME,
  ade20k: /^ADE_val_\d{8}\.jpg$/,
};

/** The highest id of an image of COCO 2014; the embedded benchmark's begin at 1,000,000. */
const LAST_COCO_ID = 581_929;

/** Null for a split that is not published, or without a published number of images. */
export function publishedSplit(dataset: string, split: string): PublishedSplit | null {
  const entry = CATALOGUE.find(({ name }) => name === dataset);
  const images = entry?.published.splits[split]?.images;
  if (images === undefined) return null;
  return { images, expressions: EXPRESSIONS[dataset]?.[split] ?? null, fileName: FILE_NAMES[dataset] ?? null };
}

/** Whether an image has a name of COCO's form and an id beyond COCO's: so the embedded benchmark names its scenes. */
export function isDrawnName(fileName: string): boolean {
  const digits = /^COCO_train2014_(\d{12})\.jpg$/.exec(fileName)?.[1];
  return digits !== undefined && Number(digits) > LAST_COCO_ID;
}
