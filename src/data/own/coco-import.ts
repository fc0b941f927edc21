/**
 * COCO's instances files as own data: the names of the categories become expressions, and all instances of a category
 * in an image its mask. LVIS's list categories that were sought and not found, and those not marked everywhere.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { UserError } from '../../errors.js';
import type { JsonReader } from '../../io/json/json-reader.js';
import { type CocoFile, type Id, idOf, readCocoFile } from './coco-file.js';
import {
  type ImageDraft,
  ImageDrafts,
  type Imported,
  type LeftOut,
  type OnProgress,
  openPicture,
} from './image-drafts.js';
import { ImageFinder } from './image-finder.js';
import { type WrittenMask, writtenMasks } from './own-data-writer.js';

/** Between them others have their turn: the bar, and Ctrl-C. */
const ANNOTATIONS_PER_TURN = 1000;
/** Headers read at the same time: enough for Node's threads. */
const AT_ONCE = 32;

/** @param folder of the images @throws UserError: the file cannot be read, an id stands twice, no image is there */
export async function importCoco(
  file: string,
  folder: string,
  { keepIncomplete }: { readonly keepIncomplete: boolean },
  onProgress?: OnProgress,
): Promise<Imported> {
  const drafts = new ImageDrafts(onProgress);
  const { leftOut } = drafts;
  const coco = readCocoFile(file, leftOut);
  const byId = await openImages(coco, file, folder, drafts);
  for (const [index, { entry, place }] of coco.annotations.entries()) {
    if (index % ANNOTATIONS_PER_TURN === 0) {
      await nextTurn();
      drafts.onProgress(index, coco.annotations.length);
    }
    leftOut.guard(() => {
      takeAnnotation(entry, place, coco, byId, leftOut);
    });
  }
  drafts.onProgress(coco.annotations.length, coco.annotations.length);
  for (const [id, draft] of byId) if (draft !== null) noteKnowledge(id, draft, coco);
  return drafts.finish(keepIncomplete);
}

/** A draft of each image whose picture can be used, else null. */
async function openImages({ images }: CocoFile, file: string, folder: string, drafts: ImageDrafts) {
  const entries = [...images];
  const { leftOut } = drafts;
  const finder = new ImageFinder(folder, { absolute: false, leadingOut: false });
  const byId = new Map<Id, ImageDraft | null>();
  for (let first = 0; first < entries.length; first += AT_ONCE) {
    drafts.onProgress(first, entries.length);
    const looked = entries.slice(first, first + AT_ONCE).map(async ([id, { name, size, place }]) => {
      const found = finder.find(name);
      if ('path' in found) return { id, place, opened: await openPicture(found.path, size, place) };
      const fault = `${place}: ${JSON.stringify(name)}: ${found.fault}`;
      return { id, place, opened: { kind: 'missingImages', fault } as const };
    });
    // In the order of the list, whichever was read first.
    for (const { id, place, opened } of await Promise.all(looked)) byId.set(id, drafts.take(opened, place));
  }
  if (entries.length > 0 && leftOut.count('missingImages') === entries.length) {
    const first = leftOut.entries.find(({ kind }) => kind === 'missingImages');
    throw new UserError(`None of the ${entries.length} images of ${file} is there; the first: ${first?.what ?? ''}.`);
  }
  return byId;
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
  const category = leftOut.guard(() => idOf(entry.key('category_id')));
  const name = category === null ? undefined : categories.get(category);
  // A category without a usable name is reported where it stands.
  if (name === null) return;
  if (name === undefined) {
    draft.addNameless();
    if (category === null) return;
    leftOut.add('unknownCategories', `${place}: "category_id" is ${category}, which none of "categories" has`);
    return;
  }
  const mask = leftOut.guard(() => maskOf(entry, draft));
  if (mask === null) draft.addWithoutMask(name, `the mask of ${place} cannot be read`);
  else if (mask === 'box') {
    leftOut.add('boxes', `${place}: ${JSON.stringify(name)} has no segmentation`);
    draft.addWithoutMask(name, `${place} is only a box`);
  } else draft.add(name, mask, place);
}

/** Notes which categories the image is known to lack, and of which it shows more than is annotated. */
function noteKnowledge(id: Id, draft: ImageDraft, { images, categories, saysNegative }: CocoFile): void {
  const image = images.get(id);
  const names = (ids: readonly Id[] = []): string[] => ids.flatMap((each) => categories.get(each) ?? []);
  if (saysNegative) draft.verifyAbsent(names(image?.negative ?? []));
  for (const name of names(image?.notExhaustive)) {
    draft.addWithoutMask(name, 'not every one of them is annotated ("not_exhaustive_category_ids")');
  }
}

/** 'box' where the annotation has no mask; no masks where nothing of it is inside the image. */
function maskOf(annotation: JsonReader, { size }: ImageDraft): WrittenMask[] | 'box' {
  const segmentation: unknown = annotation.optional('segmentation')?.value;
  if (segmentation === undefined || isBoxOrNothing(segmentation)) return 'box';
  const wrong = (why: string): never => annotation.key('segmentation').fail(`a mask (${why})`);
  if (Array.isArray(segmentation)) checkNumbers(segmentation, wrong);
  return annotation.key('segmentation').orFail('a mask', () => writtenMasks(segmentation, size));
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
