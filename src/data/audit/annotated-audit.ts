/** Looks through a dataset in COCO's form whose categories are classes (PACO-LVIS, PASCAL-Part). */
import { join } from 'node:path';
import { readJsonRecordLists } from '../annotation-files.js';
import type { Size } from '../image/size-mismatch.js';
import { RepeatedIds } from '../repeated-ids.js';
import { pacoClass, partClass } from '../sem-seg/annotated-dataset.js';
import { ADVICE, type Audit, type ExpectedImage, maskFault } from './audit.js';

export const auditAnnotatedSet: Audit = async ({ dataDir, entry, problems, images: checker, isThorough }) => {
  const [file, folder] = entry.parts.map((part) => join(dataDir, part.path)) as [string, string];
  const isPaco = entry.name === 'paco_lvis';
  // PACO-LVIS names its pictures with their folder.
  const imageDir = isPaco ? join(folder, '..') : folder;
  const images = new Map<number, { readonly fileName: string; readonly size: Size; isAnnotated: boolean }>();
  const [imageIds, categoryIds] = [new RepeatedIds('images'), new RepeatedIds('categories')];
  const className = isPaco ? pacoClass : partClass;
  readJsonRecordLists(entry.title, file, ADVICE, {
    images: problems.guarded((place, index) => {
      const fileName = place.key('file_name').fileName();
      const id = place.key('id').integer();
      const image = { fileName, size: place.size(), isAnnotated: false };
      if (imageIds.add(id, index, place.value)) images.set(id, image);
    }),
    categories: problems.guarded((place, index) => {
      const id = place.key('id').integer();
      className(place.key('name'));
      categoryIds.add(id, index, place.value);
    }),
  });
  for (const fault of [...imageIds.faults, ...categoryIds.faults]) problems.add('id used twice', `${file}: ${fault}`);
  let objects = 0;
  // A second pass, so that masks are checked while they are read, whatever the order of the lists.
  readJsonRecordLists(entry.title, file, ADVICE, {
    annotations: problems.guarded((place) => {
      objects++;
      const id = `annotation ${place.key('id').integer()} of ${file}`;
      const imageId = place.key('image_id').integer();
      const image = images.get(imageId);
      const category = place.key('category_id').integer();
      if (!categoryIds.has(category)) problems.add('broken reference', `${id}: there is no category ${category}`);
      if (image === undefined) {
        problems.add('broken reference', `${id}: there is no image ${imageId}`);
        return;
      }
      image.isAnnotated = true;
      if (!isThorough) return;
      const segmentation = place.key('segmentation').value;
      const isEmpty = Array.isArray(segmentation) && segmentation.length === 0;
      const fault = isEmpty ? 'it has no polygon' : maskFault(segmentation, image.size);
      if (fault !== null) problems.add('invalid mask', `${id}: ${fault}`);
    }),
  });
  const expected = [...images].flatMap(([id, { fileName, size, isAnnotated }]): ExpectedImage[] => {
    return isAnnotated ? [{ path: join(imageDir, fileName), size, by: `image ${id} of ${file}` }] : [];
  });
  if (isThorough) await checker.check(expected, problems);
  return { splits: { train: { images: expected.length, objects } }, images: expected.length };
};
