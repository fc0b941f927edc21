/** Sets with parts of objects: PACO-LVIS, and PASCAL-Part on VOC 2010 in COCO's form (VLPart). */
import { join } from 'node:path';
import type { JsonPlace } from '../annotation-files.js';
import { AnnotatedDataset } from './annotated-dataset.js';
import { checkedClassName, type ClassName } from './class-name.js';

/** On <dataDir>/coco/{train2017,val2017}, which `file_name` names. @throws UserError as AnnotatedDataset.open */
export function openPacoLvis(dataDir: string): AnnotatedDataset {
  return AnnotatedDataset.open({
    name: 'PACO-LVIS',
    annotationsFile: join(dataDir, 'vlpart', 'paco', 'annotations', 'paco_lvis_v1_train.json'),
    imageDir: join(dataDir, 'coco'),
    advice: "Unpack paco_lvis_v1.zip into <data>/vlpart/paco/annotations and COCO's train2017.zip into <data>/coco.",
    className: pacoClass,
  });
}

/** "mug_(cup):handle" → ["mug", "handle"]; underscores otherwise stay, as in the reference. */
export function pacoClass(place: JsonPlace): ClassName {
  const [object, part, ...more] = checkedClassName(place)
    .split(':')
    .map((name) => name.split('_(', 1).join(''));
  if (object && more.length === 0) {
    if (part === undefined) return object;
    if (part !== '') return [object, part];
  }
  throw place.wrong('an object, or "object:part"');
}

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
