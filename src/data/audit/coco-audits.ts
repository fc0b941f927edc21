/** Audits of datasets with annotations in COCO's form: referring sets, and those whose categories are classes. */
import { join } from 'node:path';
import { UserError } from '../../errors.js';
import { type JsonPlace, readJsonRecordLists, readRecords, RepeatedIds } from '../annotation-files.js';
import type { Size } from '../image/size-mismatch.js';
import { annotationIds, imagePaths } from '../refer/refcoco.js';
import { pacoClass, partClass } from '../sem-seg/annotated-dataset.js';
import { cleanExpression } from '../text/expression.js';
import { ADVICE, type Audit, type AuditInput, type ExpectedImage, maskFault, type ProblemList } from './audit.js';

/** Divided by objects, not by images: an image may be in two splits. */
const DIVIDED_BY_OBJECTS: ReadonlySet<string> = new Set(['refcocog-google']);

/** Requirements of the records on the other files. */
interface Wanted {
  /** Counts of each split, in the order of the file. */
  readonly splits: Map<string, Counts>;
  /** Ids of images, with a bit per split of each and the first record that refers to it. */
  readonly images: Map<number, { splits: number; readonly record: string }>;
  /** Ids of annotations, with their image by the first record that refers to them. */
  readonly annotations: Map<number, { readonly imageId: number; readonly index: number }>;
}

type Counts = Record<'images' | 'expressions' | 'multiTarget' | 'noTarget' | 'objects', number>;

/** Looks through the records, the images and annotations they refer to, and the image files. */
export const auditReferSet: Audit = async (input) => {
  const { dataDir, entry, images, problems, isThorough } = input;
  const [records = '', instances = ''] = entry.parts
    .filter((part) => part.ending === undefined)
    .map((part) => join(dataDir, part.path));
  const wanted: Wanted = { splits: new Map(), images: new Map(), annotations: new Map() };
  const take = problems.guarded((place, index) => {
    takeRecord(place, index, records, wanted, problems);
  });
  readRecords(entry.title, records, ADVICE, take);
  const expected = lookUp(input, instances, records, wanted);
  for (const [id, image] of wanted.images) {
    const names = [...wanted.splits.keys()].filter((_, i) => (image.splits & (1 << i)) !== 0);
    for (const split of names) (wanted.splits.get(split) as Counts).images++;
    if (isThorough && names.length > 1 && !DIVIDED_BY_OBJECTS.has(entry.name)) {
      problems.add('image in two splits', `image ${id} is in ${names.join(' and ')}`);
    }
  }
  if (isThorough) await images.check(expected, problems);
  return { splits: Object.fromEntries(wanted.splits), images: wanted.images.size };
};

function takeRecord(place: JsonPlace, index: number, file: string, wanted: Wanted, problems: ProblemList): void {
  const record = recordName(index, file);
  const split = place.key('split').string();
  const imageId = place.key('image_id').integer();
  const ids = annotationIds(place);
  const sentences = place.key('sentences').array();
  const count = countsOf(split, wanted.splits);
  count.objects += ids.length;
  for (const sentence of sentences) {
    const text = sentence.key('sent').string();
    count.expressions++;
    if (ids.length > 1) count.multiTarget++;
    if (ids.length === 0) count.noTarget++;
    if (cleanExpression(text) === '') problems.add('empty expression', `${record}: ${JSON.stringify(text)}`);
  }
  if (sentences.length === 0) problems.add('empty expression', `${record} has no sentence`);
  const image = wanted.images.get(imageId) ?? { splits: 0, record };
  image.splits |= 1 << [...wanted.splits.keys()].indexOf(split);
  wanted.images.set(imageId, image);
  for (const id of ids) {
    const other = wanted.annotations.get(id)?.imageId;
    if (other === undefined) wanted.annotations.set(id, { imageId, index });
    else if (other !== imageId) {
      problems.add('broken reference', `${record}: annotation ${id} is of image ${other}, not of ${imageId}`);
    }
  }
}

function recordName(index: number, file: string): string {
  return `record [${index}] of ${file}`;
}

function countsOf(split: string, splits: Wanted['splits']): Counts {
  const known = splits.get(split);
  if (known !== undefined) return known;
  // Files have up to 9 names of splits; more than bits would be no dataset.
  if (splits.size === 31) throw new UserError(`there are more than 31 splits, "${split}" among them`);
  const count = { images: 0, expressions: 0, multiTarget: 0, noTarget: 0, objects: 0 };
  splits.set(split, count);
  return count;
}

/**
 * Checks the requirements of the records. Two passes, so that masks are checked while they are read, whatever the
 * order.
 * @returns the annotated images
 */
function lookUp(
  { dataDir, entry, problems, isThorough }: AuditInput,
  instances: string,
  records: string,
  wanted: Wanted,
): ExpectedImage[] {
  const expected: ExpectedImage[] = [];
  const sizes = new Map<number, Size>();
  const imageIds = new RepeatedIds('images');
  const annotationIdsSeen = new RepeatedIds('annotations');
  const [pictures = ''] = entry.parts.filter((part) => part.ending === '.jpg').map((part) => join(dataDir, part.path));
  const pathOf = imagePaths(pictures);
  readJsonRecordLists(entry.title, instances, ADVICE, {
    images: problems.guarded((place, index) => {
      const id = place.key('id').integer();
      if (!wanted.images.has(id) || !imageIds.add(id, index, place.value)) return;
      const size = place.size();
      const path = pathOf(place.key('file_name').fileName());
      sizes.set(id, size);
      expected.push({ path, size, by: `image ${id} of ${instances}` });
    }),
  });
  const missing = new Map(wanted.annotations);
  readJsonRecordLists(entry.title, instances, ADVICE, {
    annotations: problems.guarded((place, index) => {
      const id = place.key('id').integer();
      const reference = wanted.annotations.get(id);
      if (reference === undefined || !annotationIdsSeen.add(id, index, place.value)) return;
      missing.delete(id);
      const { imageId } = reference;
      const own = place.key('image_id').integer();
      if (own !== imageId) {
        problems.add('broken reference', `annotation ${id} of ${instances} is of image ${own}, not of ${imageId}`);
        return;
      }
      const size = sizes.get(imageId);
      if (!isThorough || size === undefined) return;
      const fault = maskFault(place.key('segmentation').value, size);
      if (fault !== null) problems.add('invalid mask', `annotation ${id} of ${instances}: ${fault}`);
    }),
  });
  for (const [id, { record }] of wanted.images) {
    if (!sizes.has(id)) problems.add('broken reference', `${record}: image ${id} is not in ${instances}`);
  }
  for (const [id, { imageId, index }] of missing) {
    const record = recordName(index, records);
    problems.add('broken reference', `annotation ${id} of image ${imageId} (see ${record}) is not in ${instances}`);
  }
  for (const fault of [...imageIds.faults, ...annotationIdsSeen.faults]) {
    problems.add('id used twice', `${instances}: ${fault}`);
  }
  return expected;
}

/** Looks through a dataset in COCO's form whose categories are classes (PACO-LVIS, PASCAL-Part). */
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
