/** Looks through a dataset in COCO's form whose categories are classes (PACO-LVIS, PASCAL-Part). */
import { join } from 'node:path';

import { readJsonRecordLists } from '../annotation-files.js';
import { pictureSize } from '../refer/refer-instances.js';
import { RepeatedIds } from '../repeated-ids.js';
import { pacoClass, partClass } from '../sem-seg/pascal-part.js';
import { type Audit, type ExpectedImage, insideFileName } from './image-checker.js';
import { maskFault } from './mask-fault.js';

const ADVICE = 'Use the published file.';

interface AuditedImage {
  readonly fileName: string;
  readonly height: number;
  readonly width: number;
  isAnnotated: boolean;
}

export const auditAnnotatedSet: Audit = async ({ dataDir, entry, problems, images: checker, isThorough }) => {
  const [file, folder] = entry.parts.map((part) => join(dataDir, part.path)) as [string, string];
  // PACO-LVIS names its pictures with their folder.
  const imageDir = entry.name === 'paco_lvis' ? join(folder, '..') : folder;
  const images = new Map<number, AuditedImage>();
  const categories = new Set<number>();
  const [imageIds, categoryIds] = [new RepeatedIds('images'), new RepeatedIds('categories')];
  const className = entry.name === 'paco_lvis' ? pacoClass : partClass;
  readJsonRecordLists(entry.title, file, ADVICE, {
    images: (place, index) => {
      problems.guard(() => {
        const fileName = insideFileName(place.key('file_name'));
        const id = place.key('id').integer();
        const image = { fileName, ...pictureSize(place), isAnnotated: false };
        if (imageIds.add(id, index, place.value)) images.set(id, image);
      });
    },
    categories: (place, index) => {
      problems.guard(() => {
        const id = place.key('id').integer();
        className(place.key('name'));
        if (categoryIds.add(id, index, place.value)) categories.add(id);
      });
    },
  });
  for (const fault of [...imageIds.faults, ...categoryIds.faults]) problems.add('id used twice', `${file}: ${fault}`);
  let objects = 0;
  // A second pass, so that masks are checked while they are read, whatever the order of the lists.
  readJsonRecordLists(entry.title, file, ADVICE, {
    annotations: (place) => {
      problems.guard(() => {
        objects++;
        const id = `annotation ${place.key('id').integer()} of ${file}`;
        const image = images.get(place.key('image_id').integer());
        const category = place.key('category_id').integer();
        if (!categories.has(category)) problems.add('broken reference', `${id}: there is no category ${category}`);
        if (image === undefined) {
          problems.add('broken reference', `${id}: there is no image ${place.key('image_id').integer()}`);
          return;
        }
        image.isAnnotated = true;
        if (!isThorough) return;
        const segmentation = place.key('segmentation').value;
        const isEmpty = Array.isArray(segmentation) && segmentation.length === 0;
        const fault = isEmpty ? 'it has no polygon' : maskFault(segmentation, image.height, image.width);
        if (fault !== null) problems.add('invalid mask', `${id}: ${fault}`);
      });
    },
  });
  const annotated = [...images].filter(([, image]) => image.isAnnotated);
  const expected = annotated.map(([id, image]): ExpectedImage => ({
    path: join(imageDir, image.fileName),
    size: image,
    by: `image ${id} of ${file}`,
  }));
  if (isThorough) await checker.check(expected, problems);
  return { splits: { train: { images: annotated.length, objects } }, images: annotated.length };
};
