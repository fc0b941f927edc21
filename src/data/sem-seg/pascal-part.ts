/** PASCAL-Part (VLPart): <dataDir>/vlpart/pascal_part/{train.json,VOCdevkit/VOC2010/JPEGImages/*.jpg}. */
import { join } from 'node:path';

import { AnnotatedDataset } from './annotated-dataset.js';
import { type ClassName, checkedClassName } from './class-name.js';
import type { JsonPlace } from '../annotation-files.js';

/** @throws UserError as AnnotatedDataset.open */
export function openPascalPart(dataDir: string): AnnotatedDataset {
  const root = join(dataDir, 'vlpart', 'pascal_part');
  return AnnotatedDataset.open({
    name: 'PASCAL-Part',
    annotationsFile: join(root, 'train.json'),
    imageDir: join(root, 'VOCdevkit', 'VOC2010', 'JPEGImages'),
    advice: "Put VLPart's train.json and the unpacked VOCtrainval_03-May-2010.tar into <data>/vlpart/pascal_part.",
    className: partClass,
  });
}

/** "dog:head" → ["dog", "head"]. */
export function partClass(place: JsonPlace): ClassName {
  const [object, part, ...more] = checkedClassName(place).split(':');
  if (object && part && more.length === 0) return [object, part];
  throw place.wrong('"object:part"');
}
