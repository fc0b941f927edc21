/**
 * RefCOCO, RefCOCO+ (Yu et al. 2016), RefCOCOg (Mao et al. 2016) and RefCLEF (Kazemzadeh et al. 2014) in the layout of
 * the REFER toolkit (reference: data/refer.py): expressions about one object each. Records are Python 2 pickles,
 * refer_seg/<set>/refs(<who divided it>).p; pictures are COCO's train2014, RefCLEF's those of SAIAPR TC-12.
 */
import { ReferDataset, type ReferSplit } from './refer-dataset.js';
import { COCO_TRAIN_2014, type ReferLayout, readReferSource, readReferSplits } from './refer-layout.js';

/** By whom the sets were divided into splits; of RefCOCOg, GSVA uses UMD's division, of the others UNC's. */
export const REFCOCO_DIVISIONS = {
  refcoco: ['unc', 'google'],
  'refcoco+': ['unc'],
  refcocog: ['umd', 'google'],
  refclef: ['unc', 'berkeley'],
} as const;

export type RefCocoSet = keyof typeof REFCOCO_DIVISIONS;
export type RefCocoDivision<S extends RefCocoSet = RefCocoSet> = (typeof REFCOCO_DIVISIONS)[S][number];

const NAMES: Readonly<Record<RefCocoSet, string>> = {
  refcoco: 'RefCOCO',
  'refcoco+': 'RefCOCO+',
  refcocog: 'RefCOCOg',
  refclef: 'RefCLEF',
};

export class RefCoco extends ReferDataset {
  /** Annotations of one split, without images. @throws UserError where a file is missing or not as published */
  static open<S extends RefCocoSet>(dataDir: string, set: S, division: RefCocoDivision<S>, split: ReferSplit): RefCoco {
    return new RefCoco(readReferSource(dataDir, layoutOf(set, division), split));
  }

  /** Names of the splits in the annotations. @throws UserError as `open` */
  static splits<S extends RefCocoSet>(dataDir: string, set: S, division: RefCocoDivision<S>): ReadonlySet<string> {
    return readReferSplits(dataDir, layoutOf(set, division));
  }
}

function layoutOf(set: RefCocoSet, division: RefCocoDivision): ReferLayout {
  return {
    name: `${NAMES[set]} (${division})`,
    folder: set,
    records: `refs(${division}).p`,
    images: set === 'refclef' ? 'saiapr_tc-12' : COCO_TRAIN_2014,
  };
}
