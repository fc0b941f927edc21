/**
 * Ref-ZOM as published (Hu et al. 2023, "Beyond One-to-One"; data/refzom.py): expressions about one object, many or
 * none, in the Python 3 pickle refer_seg/refzom/Ref_ZOM.p. Its pictures of val2014 are expected next to train2014, or
 * in it.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { ReferDataset } from './refer-dataset.js';
import { COCO_TRAIN_2014, type ReferLayout, readReferSource, readReferSplits } from './refer-layout.js';

export type RefZomSplit = 'train' | 'test';

const LAYOUT: ReferLayout = { name: 'Ref-ZOM', folder: 'refzom', records: 'Ref_ZOM.p', images: COCO_TRAIN_2014 };

export class RefZom extends ReferDataset {
  /** Annotations of one split, without images. @throws UserError where a file is missing or not as published */
  static open(dataDir: string, split: RefZomSplit): RefZom {
    const train = join(dataDir, 'refer_seg', 'images', LAYOUT.images);
    const val = join(train, '..', 'val2014');
    const valDir = existsSync(val) ? val : train;
    const imagePath = (fileName: string): string =>
      join(fileName.startsWith('COCO_val2014_') ? valDir : train, fileName);
    return new RefZom(readReferSource(dataDir, LAYOUT, split, imagePath));
  }

  /** Names of the splits in the annotations. @throws UserError as `open` */
  static splits(dataDir: string): ReadonlySet<string> {
    return readReferSplits(dataDir, LAYOUT);
  }
}
