/**
 * Ref-ZOM in its published layout (Hu et al. 2023, "Beyond One-to-One"; reference: data/refzom.py): expressions about
 * one object, many or zero. Records: the Python 3 pickle refer_seg/refzom/Ref_ZOM.p. Some pictures are of COCO's
 * val2014; they are expected next to train2014, or in it, where the reference looks for all of them.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { ReferDataset } from './refer-dataset.js';
import { COCO_TRAIN_2014, type ReferLayout, readReferSource, readReferSplits } from './refer-layout.js';

export type RefZomSplit = 'train' | 'test';

const LAYOUT: ReferLayout = { name: 'Ref-ZOM', folder: 'refzom', records: 'Ref_ZOM.p', images: COCO_TRAIN_2014 };

export class RefZom extends ReferDataset {
  /**
   * Reads the annotations of one split, without images. @throws UserError where a file is missing or does not have the
   * published form
   */
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
