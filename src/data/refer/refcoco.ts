/** The published referring datasets. */
import { ReferDataset, type ReferSplit } from './refer-dataset.js';
import { readReferSource, readReferSplits, type ReferLayout } from './refer-layout.js';

/** Reader of a set: `open` the annotations of one split, without images; `splits` lists the names in the annotations. */
interface ReferSet<Split extends ReferSplit> {
  /** @throws UserError where a file is missing or not as published */
  open: (dataDir: string, split: Split) => ReferDataset;
  /** @throws UserError as `open` */
  splits: (dataDir: string) => ReadonlySet<string>;
}

function referSet<Split extends ReferSplit>(layout: ReferLayout): ReferSet<Split> {
  return {
    open: (dataDir, split) => new ReferDataset(readReferSource(dataDir, layout, split)),
    splits: (dataDir) => readReferSplits(dataDir, layout),
  };
}

/** COCO's pictures, which most of these datasets are about. */
const COCO_TRAIN_2014 = 'mscoco/images/train2014';

export type GRefCocoSplit = 'train' | 'val' | 'testA' | 'testB';

/** gRefCOCO (GRES, Liu et al. 2023; reference: data/grefer.py): expressions about one object, several or none. */
export const GRefCoco = referSet<GRefCocoSplit>({
  name: 'gRefCOCO',
  folder: 'grefcoco',
  records: 'grefs(unc).json',
  images: COCO_TRAIN_2014,
});

/**
 * Ref-ZOM (Hu et al. 2023, "Beyond One-to-One"; reference: data/refzom.py): expressions about one object, many or none,
 * in a Python 3 pickle.
 */
export const RefZom = referSet<'train' | 'test'>({
  name: 'Ref-ZOM',
  folder: 'refzom',
  records: 'Ref_ZOM.p',
  images: COCO_TRAIN_2014,
});

/** By whom the sets were divided into splits; of RefCOCOg, GSVA uses UMD's division, of the others UNC's. */
interface RefCocoDivisions {
  refcoco: 'unc' | 'google';
  'refcoco+': 'unc';
  refcocog: 'umd' | 'google';
  refclef: 'unc' | 'berkeley';
}

const NAMES = { refcoco: 'RefCOCO', 'refcoco+': 'RefCOCO+', refcocog: 'RefCOCOg', refclef: 'RefCLEF' } as const;

/**
 * RefCOCO, RefCOCO+ (Yu et al. 2016), RefCOCOg (Mao et al. 2016) and RefCLEF (Kazemzadeh et al. 2014) in the layout of
 * the REFER toolkit (reference: data/refer.py): expressions about one object each. Records are Python 2 pickles,
 * refer_seg/<set>/refs(<who divided it>).p; RefCLEF's pictures are those of SAIAPR TC-12.
 */
export function refCoco<S extends keyof RefCocoDivisions>(set: S, division: RefCocoDivisions[S]): ReferSet<ReferSplit> {
  return referSet({
    name: `${NAMES[set]} (${division})`,
    folder: set,
    records: `refs(${division}).p`,
    images: set === 'refclef' ? 'saiapr_tc-12' : COCO_TRAIN_2014,
  });
}
