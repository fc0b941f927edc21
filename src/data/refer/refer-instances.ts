/** `images` and `annotations` of a COCO instances file, as far as a list of records refers to them. */
import { UserError } from '../../errors.js';
import { MAX_PIXELS } from '../masks/coco-mask.js';
import type { ReferImageFile, ReferInstances, ReferRecord } from './refer-dataset.js';
import { type JsonPlace, readJsonRecordLists } from '../annotation-files.js';
import { RepeatedIds } from '../repeated-ids.js';

/** Folders and a name below each other: it is joined to a folder, which it must not lead out of. */
const INSIDE = /^[^/\\\0]+(?:\/[^/\\\0]+)*$/;

/** Reads record by record and keeps what `records` need, as all of COCO takes several hundred MB in memory. */
export function readInstances(
  name: string,
  path: string,
  advice: string,
  records: readonly ReferRecord[],
): ReferInstances {
  const wantedImages = new Set<number>();
  const wantedAnnotations = new Set<number>();
  for (const record of records) {
    wantedImages.add(record.imageId);
    for (const id of record.annotationIds) wantedAnnotations.add(id);
  }
  const images = new Map<number, ReferImageFile>();
  const segmentations = new Map<number, unknown>();
  const [imageIds, annotationIds] = [new RepeatedIds('images'), new RepeatedIds('annotations')];
  readJsonRecordLists(name, path, advice, {
    images: (image, index) => {
      const id = image.key('id').integer();
      if (wantedImages.has(id) && imageIds.add(id, index, image.value)) images.set(id, readImageFile(image));
    },
    annotations: (annotation, index) => {
      const id = annotation.key('id').integer();
      if (!wantedAnnotations.has(id) || !annotationIds.add(id, index, annotation.value)) return;
      segmentations.set(id, annotation.key('segmentation').value);
    },
  });
  const [fault] = [...imageIds.faults, ...annotationIds.faults];
  if (fault !== undefined) {
    throw new UserError(`Reading ${name}: ${path}: ${fault}. Which is meant cannot be known; ${advice}`);
  }
  return { source: path, images, segmentations };
}

function readImageFile(image: JsonPlace): ReferImageFile {
  const name = image.key('file_name');
  const fileName = name.text();
  if (!INSIDE.test(fileName) || fileName.split('/').some((part) => part === '.' || part === '..')) {
    throw name.wrong('a file name, which may stand in folders but not lead out of them');
  }
  return { fileName, ...pictureSize(image) };
}

/** The size in an image's record, in pixels. @throws UserError where it cannot be one */
export function pictureSize(image: JsonPlace): { readonly height: number; readonly width: number } {
  const [height, width] = [image.key('height').integer(), image.key('width').integer()];
  if (height <= 0 || width <= 0 || height * width > MAX_PIXELS) {
    throw image.wrong(`a positive height and width of at most ${MAX_PIXELS} pixels together`);
  }
  return { height, width };
}
