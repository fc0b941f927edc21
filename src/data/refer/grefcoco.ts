/** gRefCOCO as published (GRES, Liu et al. 2023; data/grefer.py): refer_seg/grefcoco/grefs(unc).json on train2014. */
import { ReferDataset } from './refer-dataset.js';
import { COCO_TRAIN_2014, type ReferLayout, readReferSource, readReferSplits } from './refer-layout.js';

export type GRefCocoSplit = 'train' | 'val' | 'testA' | 'testB';

const LAYOUT: ReferLayout = {
  name: 'gRefCOCO',
  folder: 'grefcoco',
  records: 'grefs(unc).json',
  images: COCO_TRAIN_2014,
};

export class GRefCoco extends ReferDataset {
  /** Annotations of one split, without images. @throws UserError where a file is missing or not as published */
  static open(dataDir: string, split: GRefCocoSplit): GRefCoco {
    return new GRefCoco(readReferSource(dataDir, LAYOUT, split));
  }

  /** Names of the splits in the annotations. @throws UserError as `open` */
  static splits(dataDir: string): ReadonlySet<string> {
    return readReferSplits(dataDir, LAYOUT);
  }
}
