/**
 * YOLO's segmentation labels as own data: next to each folder "images" a folder "labels" with one text per picture and
 * one line per object: the number of its class and its outline, x and y as shares of width and height.
 */
import { existsSync } from 'node:fs';
import { UserError } from '../../errors.js';
import { readText } from '../../io/json/json-file.js';
import { annotationToRle } from '../masks/coco-mask-annotation.js';
import { rleArea } from '../masks/coco-mask.js';
import type { Importer } from './coco-import.js';
import { type ImageDraft, ImageDrafts } from './image-drafts.js';
import { openPicture } from './import-pictures.js';
import { LeftOut } from './left-out.js';
import { type YoloFile, type YoloPicture, readYoloFile } from './yolo-file.js';

/** x, y, width and height. */
const BOX = 4;
const FEWEST_COORDINATES = 6;
/** Shares may lie outside of the picture by as much: drawn at its edge, rounded. */
const TOLERANCE = 0.01;

/** @throws UserError where data.yaml cannot be read or names no pictures */
export const importYolo: Importer = async (file, { keepIncomplete }, onProgress = () => undefined) => {
  const leftOut = new LeftOut();
  const set = readYoloFile(file, leftOut);
  const drafts = new ImageDrafts();
  for (const [index, picture] of set.pictures.entries()) {
    onProgress(index, set.pictures.length);
    const draft = await draftOf(picture, drafts, leftOut);
    // Without a text nothing is annotated: a picture of the background.
    if (draft === null || !existsSync(picture.labels)) continue;
    leftOut.guard(() => {
      takeLabels(picture.labels, draft, set, leftOut);
    });
  }
  onProgress(set.pictures.length, set.pictures.length);
  return { images: drafts.finish(leftOut, keepIncomplete), leftOut };
};

async function draftOf(picture: YoloPicture, drafts: ImageDrafts, leftOut: LeftOut): Promise<ImageDraft | null> {
  const opened = await openPicture(picture.path, { size: null, place: picture.labels });
  if ('kind' in opened) {
    leftOut.add(opened.kind, opened.fault);
    return null;
  }
  const draft = drafts.of(opened.path, opened.size, picture.path);
  draft.split ??= picture.split;
  if (draft.split === picture.split) return draft;
  leftOut.add(
    'badEntries',
    `${picture.path}: it is in ${draft.split} and in ${picture.split}; it stays in ${draft.split}`,
  );
  return null;
}

function takeLabels(file: string, draft: ImageDraft, set: YoloFile, leftOut: LeftOut): void {
  for (const [index, line] of readText(file, "YOLO's labels").split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const place = `${file}, line ${index + 1}`;
    const [first, ...numbers] = line.trim().split(/\s+/).map(Number);
    if (first === undefined || !Number.isInteger(first) || first < 0) {
      leftOut.add('badEntries', `${place}: it does not begin with the number of a class`);
      draft.addNameless();
      continue;
    }
    const name = set.classes.get(first);
    if (name === undefined) {
      leftOut.add('unknownCategories', `${place}: the class ${first}, which "names" does not have`);
      draft.addNameless();
    }
    if (typeof name === 'string') takeObject(name, numbers, place, draft, set, leftOut);
  }
}

function takeObject(
  name: string,
  numbers: readonly number[],
  place: string,
  draft: ImageDraft,
  { isPose }: YoloFile,
  leftOut: LeftOut,
): void {
  if (isPose || numbers.length === BOX) {
    leftOut.add('boxes', `${place}: ${JSON.stringify(name)}${isPose ? ' (the labels are of a pose)' : ''}`);
    draft.addWithoutMask(name, `${place} is only a box`);
    return;
  }
  const mask = leftOut.guard(() => polygonOf(numbers, place, draft));
  if (mask === null) draft.addWithoutMask(name, `${place} cannot be read`);
  else {
    const rle = annotationToRle([mask], draft.height, draft.width);
    const isEmpty = rle === null || rleArea(rle) === 0;
    if (isEmpty) leftOut.add('emptyMasks', `${place}: ${JSON.stringify(name)}`);
    draft.add(name, isEmpty ? [] : [{ polygons: [mask] }]);
  }
}

/** Pixels from shares of the picture's size. */
function polygonOf(numbers: readonly number[], place: string, { height, width }: ImageDraft): number[] {
  const expected = 'expected the class, then x and y of three points or more as shares of the size, from 0 to 1';
  if (numbers.length % 2 !== 0)
    throw new UserError(`${place}: ${numbers.length} coordinates, an odd number; ${expected}.`);
  if (numbers.length < FEWEST_COORDINATES) throw new UserError(`${place}: ${numbers.length} coordinates; ${expected}.`);
  const outside = numbers.find((value) => !(value >= -TOLERANCE && value <= 1 + TOLERANCE));
  if (outside !== undefined) throw new UserError(`${place}: a coordinate is ${outside}; ${expected}.`);
  return numbers.map((value, index) => value * (index % 2 === 0 ? width : height));
}
