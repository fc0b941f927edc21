/**
 * COCO's instances files as own data: the names of the categories become expressions, and all instances of a category
 * in an image its mask. LVIS's list categories that were sought and not found, and those not marked everywhere.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { UserError } from '../../errors.js';
import type { JsonReader } from '../../io/json/json-reader.js';
import { annotationToRle } from '../masks/coco-mask-annotation.js';
import { rleArea, rleToString } from '../masks/coco-mask.js';
import { type CocoFile, type Id, idOf, readCocoFile } from './coco-file.js';
import { type ImageDraft, ImageDrafts } from './image-drafts.js';
import { ImageFinder } from './image-finder.js';
import { type OnProgress, openPictures } from './import-pictures.js';
import { LeftOut } from './left-out.js';
import type { ImportedImage, WrittenMask } from './own-data-writer.js';

const FEWEST_COORDINATES = 6;
/** Between them others have their turn: the bar, and Ctrl-C. */
const ANNOTATIONS_PER_TURN = 1000;

export interface Imported {
  /** With one expression or more, in the order of the annotations. */
  readonly images: readonly ImportedImage[];
  readonly leftOut: LeftOut;
}

/** Reads a file or folder of annotations; with `keepIncomplete`, masks that lack an object of the image are kept. */
export type Importer = (
  source: string,
  options: { readonly keepIncomplete: boolean },
  onProgress?: OnProgress,
) => Promise<Imported>;

/**
 * @param folder of the images
 * @throws UserError where the file cannot be read, ids stand twice in it, or no image is in the folder
 */
export async function importCoco(
  file: string,
  folder: string,
  { keepIncomplete }: { readonly keepIncomplete: boolean },
  onProgress: OnProgress = () => undefined,
): Promise<Imported> {
  const leftOut = new LeftOut();
  const coco = readCocoFile(file, leftOut);
  const drafts = new ImageDrafts();
  const byId = await openImages(coco, file, folder, drafts, leftOut, onProgress);
  for (const [index, { entry, place }] of coco.annotations.entries()) {
    if (index % ANNOTATIONS_PER_TURN === 0) {
      await nextTurn();
      onProgress(index, coco.annotations.length);
    }
    leftOut.guard(() => {
      takeAnnotation(entry, place, coco, byId, leftOut);
    });
  }
  onProgress(coco.annotations.length, coco.annotations.length);
  for (const [id, draft] of byId) if (draft !== null) noteKnowledge(id, draft, coco);
  return { images: drafts.finish(leftOut, keepIncomplete), leftOut };
}

async function openImages(
  coco: CocoFile,
  file: string,
  folder: string,
  drafts: ImageDrafts,
  leftOut: LeftOut,
  onProgress: OnProgress,
): Promise<Map<Id, ImageDraft | null>> {
  const entries = [...coco.images];
  const finder = new ImageFinder(folder, { absolute: false, leadingOut: false });
  const wanted = entries.map(([, image]) => image);
  const opened = await openPictures(wanted, finder, drafts, leftOut, onProgress);
  if (entries.length > 0 && leftOut.count('missingImages') === entries.length) {
    const [first] = leftOut.entries.filter(({ kind }) => kind === 'missingImages');
    throw new UserError(`None of the ${entries.length} images of ${file} is there; the first: ${first?.what ?? ''}.`);
  }
  return new Map(entries.map(([id], index) => [id, opened[index] ?? null]));
}

function takeAnnotation(
  entry: JsonReader,
  place: string,
  { images, categories }: CocoFile,
  byId: ReadonlyMap<Id, ImageDraft | null>,
  leftOut: LeftOut,
): void {
  const imageId = idOf(entry.key('image_id'));
  if (!images.has(imageId)) {
    leftOut.add('unknownImages', `${place}: "image_id" is ${imageId}, which none of "images" has`);
    return;
  }
  const draft = byId.get(imageId) ?? null;
  // Of an image that is left out, that is reported already.
  if (draft === null) return;
  if (Array.isArray(entry.optional('segments_info')?.value)) {
    draft.addNameless();
    entry.key('segments_info').fail('no such key: this is a panoptic file; use the instances file of the same images');
  }
  const name = nameOf(entry, place, categories, draft, leftOut);
  if (name === null) return;
  const mask = leftOut.guard(() => maskOf(entry, draft));
  if (mask === null) draft.addWithoutMask(name, `the mask of ${place} cannot be read`);
  else if (mask === 'box') {
    leftOut.add('boxes', `${place}: ${JSON.stringify(name)} has no segmentation`);
    draft.addWithoutMask(name, `${place} is only a box`);
  } else {
    if (mask.length === 0) leftOut.add('emptyMasks', `${place}: ${JSON.stringify(name)}`);
    draft.add(name, mask);
  }
}

/** Null for a category that is unknown or whose name cannot be asked for. */
function nameOf(
  entry: JsonReader,
  place: string,
  categories: CocoFile['categories'],
  draft: ImageDraft,
  leftOut: LeftOut,
): string | null {
  const id = leftOut.guard(() => idOf(entry.key('category_id')));
  const name = id === null ? undefined : categories.get(id);
  // A category without a usable name is reported where it stands.
  if (name !== undefined) return name;
  draft.addNameless();
  if (id !== null) {
    leftOut.add('unknownCategories', `${place}: "category_id" is ${id}, which none of "categories" has`);
  }
  return null;
}

/** Notes which categories the image is known to lack, and of which it shows more than is annotated. */
function noteKnowledge(id: Id, draft: ImageDraft, { images, categories, saysNegative }: CocoFile): void {
  const image = images.get(id);
  if (image === undefined) return;
  const names = (ids: readonly Id[]): string[] => ids.flatMap((each) => categories.get(each) ?? []);
  if (saysNegative) draft.verifyAbsent(names(image.negative ?? []));
  for (const name of names(image.notExhaustive)) {
    draft.addWithoutMask(name, 'not every one of them is annotated ("not_exhaustive_category_ids")');
  }
}

/** 'box' where the annotation has no mask; no masks where nothing of it is inside the image. */
function maskOf(annotation: JsonReader, { height, width }: ImageDraft): WrittenMask[] | 'box' {
  const segmentation: unknown = annotation.optional('segmentation')?.value;
  if (segmentation === undefined || isBoxOrNothing(segmentation)) return 'box';
  const wrong = (why: string): never => annotation.key('segmentation').fail(`a mask (${why})`);
  if (Array.isArray(segmentation)) checkNumbers(segmentation, wrong);
  try {
    const rle = annotationToRle(segmentation, height, width);
    if (rle === null || rleArea(rle) === 0) return [];
    // Polygons stay as they are; an encoding, or a list with encodings in it, becomes one.
    if (isListOfLists(segmentation)) return [{ polygons: segmentation.filter(isPolygon) }];
    return [{ rle: { size: [height, width], counts: rleToString(rle) } }];
  } catch (error) {
    if (error instanceof UserError) return wrong(error.message);
    throw error;
  }
}

/** An empty list, empty lists in it, or only lists of four numbers: a box or a line written as a polygon. */
function isBoxOrNothing(segmentation: unknown): boolean {
  if (!Array.isArray(segmentation)) return false;
  return segmentation.every((part: unknown) => {
    if (!Array.isArray(part) || ![0, 2, 4].includes(part.length)) return false;
    return part.every((value) => typeof value === 'number');
  });
}

function checkNumbers(segmentation: readonly unknown[], wrong: (why: string) => never): void {
  if (typeof segmentation[0] === 'number') wrong('one list of numbers; put it into a list, of which each is a polygon');
  for (const part of segmentation) {
    if (!Array.isArray(part)) continue;
    const odd = (part as unknown[]).find((value) => typeof value !== 'number');
    if (Array.isArray(odd)) wrong('points as pairs [x, y]; write [x, y, x, y, …]');
    if (odd !== undefined) wrong(`a coordinate that is no number, ${JSON.stringify(odd).slice(0, 40)}`);
    if (part.length % 2 !== 0) wrong(`a polygon of ${part.length} coordinates, an odd number`);
  }
}

/** List of lists of numbers, as annotationToRle has found. */
function isListOfLists(segmentation: unknown): segmentation is readonly (readonly number[])[] {
  return Array.isArray(segmentation) && segmentation.every((part) => Array.isArray(part));
}

/** Points and lines among polygons are left out, as the reference does it. */
function isPolygon(coordinates: readonly number[]): boolean {
  return coordinates.length % 2 === 0 && coordinates.length >= FEWEST_COORDINATES;
}
