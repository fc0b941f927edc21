/** The published referring datasets. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ReferDataset, type ReferSplit } from './refer-dataset.js';
import { COCO_TRAIN_2014, readReferSource, readReferSplits, type ReferLayout } from './refer-layout.js';

export type GRefCocoSplit = 'train' | 'val' | 'testA' | 'testB';

const GREFCOCO: ReferLayout = {
  name: 'gRefCOCO',
  folder: 'grefcoco',
  records: 'grefs(unc).json',
  images: COCO_TRAIN_2014,
};

/** gRefCOCO (GRES, Liu et al. 2023; reference: data/grefer.py): expressions about one object, several or none. */
export class GRefCoco extends ReferDataset {
  /** Annotations of one split, without images. @throws UserError where a file is missing or not as published */
  static open(dataDir: string, split: GRefCocoSplit): GRefCoco {
    return new GRefCoco(readReferSource(dataDir, GREFCOCO, split));
  }

  /** Names of the splits in the annotations. @throws UserError as `open` */
  static splits(dataDir: string): ReadonlySet<string> {
    return readReferSplits(dataDir, GREFCOCO);
  }
}

type RefZomSplit = 'train' | 'test';

const REF_ZOM: ReferLayout = { name: 'Ref-ZOM', folder: 'refzom', records: 'Ref_ZOM.p', images: COCO_TRAIN_2014 };

/**
 * Ref-ZOM (Hu et al. 2023, "Beyond One-to-One"; reference: data/refzom.py): expressions about one object, many or none,
 * in a Python 3 pickle. Its pictures of COCO's val2014 are expected next to train2014, or in it.
 */
export class RefZom extends ReferDataset {
  /** Annotations of one split, without images. @throws UserError where a file is missing or not as published */
  static open(dataDir: string, split: RefZomSplit): RefZom {
    const train = join(dataDir, 'refer_seg', 'images', REF_ZOM.images);
    const val = join(train, '..', 'val2014');
    const valDir = existsSync(val) ? val : train;
    const imagePath = (fileName: string): string =>
      join(fileName.startsWith('COCO_val2014_') ? valDir : train, fileName);
    return new RefZom(readReferSource(dataDir, REF_ZOM, split, imagePath));
  }

  /** Names of the splits in the annotations. @throws UserError as `open` */
  static splits(dataDir: string): ReadonlySet<string> {
    return readReferSplits(dataDir, REF_ZOM);
  }
}

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

/**
 * RefCOCO, RefCOCO+ (Yu et al. 2016), RefCOCOg (Mao et al. 2016) and RefCLEF (Kazemzadeh et al. 2014) in the layout of
 * the REFER toolkit (reference: data/refer.py): expressions about one object each. Records are Python 2 pickles,
 * refer_seg/<set>/refs(<who divided it>).p; RefCLEF's pictures are those of SAIAPR TC-12.
 */
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
