/** PACO-LVIS: <dataDir>/vlpart/paco/annotations/paco_lvis_v1_train.json on <dataDir>/coco/{train2017,val2017}/*.jpg. */
import { join } from 'node:path';

import { AnnotatedDataset } from './annotated-dataset.js';
import { type ClassName, checkedClassName } from './class-name.js';
import type { JsonPlace } from '../annotation-files.js';

/** @throws UserError as AnnotatedDataset.open */
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
