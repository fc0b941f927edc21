/** Audit of a referring dataset: its records, the images and annotations they refer to, and the image files. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { UserError } from '../../errors.js';
import type { CatalogueEntry } from '../catalogue/entry.js';
import { cleanExpression } from '../text/expression.js';
import { JsonPlace, readJsonRecordLists, readJsonRecords, readPickleFile } from '../annotation-files.js';
import type { ProblemList } from './problems.js';
import { type Audit, type AuditInput, type ExpectedImage, insideFileName } from './image-checker.js';
import { maskFault } from './mask-fault.js';
import type { Size as ImageSize } from '../image/size-mismatch.js';
import { annotationIds } from '../refer/refer-layout.js';
import { pictureSize } from '../refer/refer-instances.js';
import { RepeatedIds } from '../repeated-ids.js';

/** Divided by objects, not by images: an image may be in two splits. */
const DIVIDED_BY_OBJECTS: ReadonlySet<string> = new Set(['refcocog-google']);
const ADVICE = 'Use the published file.';

interface WantedImage {
  /** A bit per split of the image. */
  splits: number;
  readonly record: string;
}

/** Requirements of the records on the other files. */
interface Wanted {
  readonly splits: string[];
  readonly images: Map<number, WantedImage>;
  /** Ids of annotations, with their image by the first record that refers to them. */
  readonly annotations: Map<number, { readonly imageId: number; readonly index: number }>;
}

interface Counts {
  images: number;
  expressions: number;
  multiTarget: number;
  noTarget: number;
  objects: number;
}

export const auditReferSet: Audit = async (input) => {
  const { dataDir, entry, images, problems, isThorough } = input;
  const [records = '', instances = ''] = entry.parts
    .filter((part) => part.ending === undefined)
    .map((part) => join(dataDir, part.path));
  const wanted: Wanted = { splits: [], images: new Map(), annotations: new Map() };
  const counts = new Map<string, Counts>();
  readRecords(entry.title, records, (place, index) => {
    takeRecord(place, index, records, wanted, counts, problems);
  });
  const expected = lookUp(input, instances, records, wanted);
  for (const image of wanted.images.values()) {
    for (const [i, split] of wanted.splits.entries()) {
      const count = counts.get(split);
      if (count !== undefined && (image.splits & (1 << i)) !== 0) count.images++;
    }
  }
  if (isThorough) {
    checkSplits(entry, wanted, problems);
    await images.check(expected, problems);
  }
  return { splits: Object.fromEntries(counts), images: wanted.images.size };
};

function readRecords(name: string, path: string, take: (place: JsonPlace, index: number) => void): void {
  if (!path.endsWith('.p')) {
    readJsonRecords(name, path, ADVICE, take);
    return;
  }
  const list = new JsonPlace(readPickleFile(name, path, ADVICE), name, path).list();
  for (const [index, place] of list.entries()) take(place, index);
}

function takeRecord(
  place: JsonPlace,
  index: number,
  file: string,
  wanted: Wanted,
  counts: Map<string, Counts>,
  problems: ProblemList,
): void {
  const record = recordName(index, file);
  problems.guard(() => {
    const split = place.key('split').text();
    const imageId = place.key('image_id').integer();
    const ids = annotationIds(place);
    const sentences = place.key('sentences').list();
    const count = countsOf(split, wanted, counts);
    count.objects += ids.length;
    for (const sentence of sentences) {
      const text = sentence.key('sent').text();
      count.expressions++;
      if (ids.length > 1) count.multiTarget++;
      if (ids.length === 0) count.noTarget++;
      if (cleanExpression(text) === '') problems.add('empty expression', `${record}: ${JSON.stringify(text)}`);
    }
    if (sentences.length === 0) problems.add('empty expression', `${record} has no sentence`);
    noteImage(imageId, split, record, wanted);
    for (const id of ids) {
      const other = wanted.annotations.get(id)?.imageId;
      if (other === undefined) wanted.annotations.set(id, { imageId, index });
      else if (other !== imageId) {
        problems.add('broken reference', `${record}: annotation ${id} is of image ${other}, not of ${imageId}`);
      }
    }
  });
}

function recordName(index: number, file: string): string {
  return `record [${index}] of ${file}`;
}

function countsOf(split: string, wanted: Wanted, counts: Map<string, Counts>): Counts {
  const known = counts.get(split);
  if (known !== undefined) return known;
  // Files have up to 9 names of splits; more than bits would be no dataset.
  if (wanted.splits.length === 31) throw new UserError(`there are more than 31 splits, "${split}" among them`);
  const count = { images: 0, expressions: 0, multiTarget: 0, noTarget: 0, objects: 0 };
  counts.set(split, count);
  wanted.splits.push(split);
  return count;
}

function noteImage(id: number, split: string, record: string, { images, splits }: Wanted): void {
  const bit = 1 << splits.indexOf(split);
  const image = images.get(id);
  if (image === undefined) images.set(id, { splits: bit, record });
  else image.splits |= bit;
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
  const sizes = new Map<number, ImageSize>();
  const imageIds = new RepeatedIds('images');
  const annotationIdsSeen = new RepeatedIds('annotations');
  const pathOf = imagePaths(dataDir, entry);
  readJsonRecordLists(entry.title, instances, ADVICE, {
    images: (place, index) => {
      problems.guard(() => {
        const id = place.key('id').integer();
        if (!wanted.images.has(id) || !imageIds.add(id, index, place.value)) return;
        const size = pictureSize(place);
        const path = pathOf(insideFileName(place.key('file_name')));
        sizes.set(id, size);
        expected.push({ path, size, by: `image ${id} of ${instances}` });
      });
    },
  });
  const missing = new Map(wanted.annotations);
  readJsonRecordLists(entry.title, instances, ADVICE, {
    annotations: (place, index) => {
      problems.guard(() => {
        const id = place.key('id').integer();
        const reference = wanted.annotations.get(id);
        if (reference === undefined || !annotationIdsSeen.add(id, index, place.value)) return;
        missing.delete(id);
        checkAnnotation(place, id, reference.imageId);
      });
    },
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

  function checkAnnotation(place: JsonPlace, id: number, imageId: number): void {
    const own = place.key('image_id').integer();
    if (own !== imageId) {
      problems.add('broken reference', `annotation ${id} of ${instances} is of image ${own}, not of ${imageId}`);
      return;
    }
    const size = sizes.get(imageId);
    if (!isThorough || size === undefined) return;
    const fault = maskFault(place.key('segmentation').value, size.height, size.width);
    if (fault !== null) problems.add('invalid mask', `annotation ${id} of ${instances}: ${fault}`);
  }
}

/** COCO's pictures of val2014 (Ref-ZOM) lie next to those of train2014, or among them. */
function imagePaths(dataDir: string, entry: CatalogueEntry): (fileName: string) => string {
  const [main = '', other] = entry.parts
    .filter((part) => part.ending === '.jpg')
    .map((part) => join(dataDir, part.path));
  const val = other !== undefined && existsSync(other) ? other : main;
  return (fileName) => join(fileName.startsWith('COCO_val2014_') ? val : main, fileName);
}

function checkSplits(entry: CatalogueEntry, { images, splits }: Wanted, problems: ProblemList): void {
  if (DIVIDED_BY_OBJECTS.has(entry.name)) return;
  for (const [id, image] of images) {
    const names = splits.filter((_, i) => (image.splits & (1 << i)) !== 0);
    if (names.length > 1) problems.add('image in two splits', `image ${id} is in ${names.join(' and ')}`);
  }
}
