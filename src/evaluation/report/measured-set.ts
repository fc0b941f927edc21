/**
 * Description of a run's images and split, for titles and the terminal; and the published splits of the paper's tables:
 * numbers of images and expressions, and names of files. A run is compared with published figures only where all of this
 * agrees (see published-tables.ts).
 */
import { basename } from 'node:path';
import { CATALOGUE } from '../../data/catalogue/catalogue.js';

export interface MeasuredSet {
  readonly dataset: string;
  readonly split: string;
  /** Images that were measured, from the start of the split. */
  readonly images: number;
  /** Images of the split in the data. */
  readonly total: number;
  /** Whether they are drawn scenes of the embedded benchmark, in any layout. */
  readonly isDrawn: boolean;
  readonly data: string;
}

export function measuredSet(
  { dataset, split }: Pick<MeasuredSet, 'dataset' | 'split'>,
  images: number,
  all: readonly { readonly fileName: string }[],
  data: string,
): MeasuredSet {
  const isDrawn = all.length > 0 && all.every(({ fileName }) => isDrawnName(fileName));
  return { dataset, split, images, total: all.length, isDrawn, data };
}

/**
 * "12 drawn images of the embedded benchmark, val"; "the first 100 of 1,500 images of grefcoco val"; "40 images of
 * mine.jsonl, val".
 */
export function measuredWords({ dataset, split, images, total, isDrawn, data }: MeasuredSet): string {
  const isPart = images < total;
  const count = isPart ? `the first ${number(images)} of ${number(total)}` : number(images);
  const noun = isPart || images !== 1 ? 'images' : 'image';
  if (isDrawn) {
    const layout = dataset === 'grefcoco' ? '' : ` in the layout of ${dataset}`;
    return `${count} drawn ${noun} of the embedded benchmark${layout}, ${split}`;
  }
  if (dataset === 'own') return `${count} ${noun} of ${basename(data)}, ${split}`;
  return `${count} ${noun} of ${dataset} ${split}`;
}

export function number(value: number): string {
  return value.toLocaleString('en-US');
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

/** Forms of the names of images, and the sets that have them; in others the names are free. */
const FILE_NAMES: readonly (readonly [name: RegExp, datasets: readonly string[]])[] = [
  [/^COCO_(?:train|val)2014_\d{12}(?:_\d+)?\.jpg$/, ['grefcoco', 'refcoco', 'refcoco+', 'refcocog', 'refzom']],
  [/^ADE_val_\d{8}\.jpg$/, ['ade20k']],
];

/** The highest id of an image of COCO 2014; the embedded benchmark's begin at 1,000,000. */
const LAST_COCO_ID = 581_929;

/**
 * Images; expressions, null where their number is not published; and the form of every image's file name. Null for a
 * split that is not published, or without a published number of images.
 */
export function publishedSplit(dataset: string, split: string) {
  const entry = CATALOGUE.find(({ name }) => name === dataset);
  const images = entry?.published.splits[split]?.images;
  if (images === undefined) return null;
  const [fileName = null] = FILE_NAMES.find(([, datasets]) => datasets.includes(dataset)) ?? [];
  return { images, expressions: EXPRESSIONS[dataset]?.[split] ?? null, fileName };
}

/** Whether an image has a name of COCO's form and an id beyond COCO's: so the embedded benchmark names its scenes. */
function isDrawnName(fileName: string): boolean {
  const digits = /^COCO_train2014_(\d{12})\.jpg$/.exec(fileName)?.[1];
  return digits !== undefined && Number(digits) > LAST_COCO_ID;
}
