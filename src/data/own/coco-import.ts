/**
 * COCO's instances files as own data: the names of the categories become expressions, and all instances of a category
 * in an image its mask.
 */
import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { UserError, messageOf } from '../../errors.js';
import { JsonReader } from '../../io/json-reader.js';
import { readJsonLists } from '../../io/json-records.js';
import { annotationToRle } from '../masks/coco-mask-annotation.js';
import { MAX_PIXELS, rleArea, rleToString } from '../masks/coco-mask.js';
import { type ImportedImage, type WrittenMask, expressionOf } from './own-data-writer.js';

const FEWEST_COORDINATES = 6;
/** Between them others have their turn: the bar, and Ctrl-C. */
const ANNOTATIONS_PER_TURN = 1000;

export interface CocoImport {
  /** With one expression or more, in the order of the file. */
  readonly images: readonly ImportedImage[];
  /** Images whose file is not in the folder. */
  readonly missing: readonly string[];
  /** Images without an annotation that can be used. */
  readonly withoutMasks: number;
  /** Annotations without a segmentation, or with nothing of it inside the image. */
  readonly emptyAnnotations: number;
}

/**
 * @param folder of the images
 * @throws UserError naming the file and the entry that is wrong, or where no image is in the folder
 */
export async function importCoco(
  file: string,
  folder: string,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<CocoImport> {
  if (!existsSync(file)) throw new UserError(`There is no file ${file} (COCO's instances); check the path.`);
  const names = new Map<number, string>();
  const drafts = new Map<number, Draft>();
  const annotations: JsonReader[] = [];
  readLists(file, {
    images: (image) => drafts.set(image.key('id').integer(), draftOf(image, folder)),
    categories: (category) => names.set(category.key('id').integer(), nameOf(category)),
    annotations: (annotation) => annotations.push(annotation),
  });
  let emptyAnnotations = 0;
  for (const [index, annotation] of annotations.entries()) {
    if (index % ANNOTATIONS_PER_TURN === 0) {
      await nextTurn();
      onProgress(index, annotations.length);
    }
    const [imageId, categoryId] = [annotation.key('image_id'), annotation.key('category_id')];
    const draft = drafts.get(imageId.integer()) ?? imageId.fail('the id of one of "images"');
    const name = names.get(categoryId.integer()) ?? categoryId.fail('the id of one of "categories"');
    const masks = masksOf(annotation, draft);
    if (masks.length === 0) emptyAnnotations++;
    else if (draft.isThere) draft.add(name, masks);
  }
  onProgress(annotations.length, annotations.length);
  const all = [...drafts.values()];
  const missing = all.filter(({ isThere }) => !isThere).map(({ path }) => path);
  if (missing.length > 0 && missing.length === all.length) {
    throw new UserError(
      `None of the ${all.length} images of ${file} is there; the first would be ${missing[0] ?? ''}.`,
    );
  }
  const images = all.filter(({ isThere, isEmpty }) => isThere && !isEmpty).map((draft) => draft.image);
  return { images, missing, withoutMasks: all.length - missing.length - images.length, emptyAnnotations };
}

/** Reads these lists of the file entry by entry: COCO's own has 450 MB. */
function readLists(file: string, takers: Readonly<Record<string, (entry: JsonReader) => unknown>>): void {
  const places = Object.entries(takers).map(([key, take]) => {
    const taker = (value: unknown, index: number): void => {
      take(JsonReader.of(value, `${file}, ${key}[${index}]`));
    };
    return [key, taker] as const;
  });
  let keys: readonly string[];
  try {
    keys = readJsonLists(file, Object.fromEntries(places));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`Cannot read ${file} as COCO's instances: ${messageOf(error)}.`);
  }
  const missing = Object.keys(takers).find((key) => !keys.includes(key));
  if (missing !== undefined) {
    throw new UserError(`${file}: the list "${missing}" is missing (there are: ${keys.slice(0, 20).join(', ')}).`);
  }
}

function nameOf(category: JsonReader): string {
  const name = category.key('name');
  try {
    return expressionOf(name.string());
  } catch (error) {
    if (error instanceof UserError && typeof name.value === 'string') return name.fail(`a name (${error.message})`);
    throw error;
  }
}

/** An image to which annotations are added. */
class Draft {
  private readonly masks = new Map<string, { text: string; polygons: (readonly number[])[]; others: WrittenMask[] }>();

  constructor(
    readonly path: string,
    readonly height: number,
    readonly width: number,
    readonly isThere: boolean,
  ) {}

  get isEmpty(): boolean {
    return this.masks.size === 0;
  }

  add(text: string, masks: readonly WrittenMask[]): void {
    const key = text.toLowerCase();
    let own = this.masks.get(key);
    if (own === undefined) this.masks.set(key, (own = { text, polygons: [], others: [] }));
    for (const mask of masks) {
      if ('polygons' in mask) for (const polygon of mask.polygons) own.polygons.push(polygon);
      else own.others.push(mask);
    }
  }

  get image(): ImportedImage {
    const { path, height, width } = this;
    const expressions = [...this.masks.values()].map(({ text, polygons, others }) => ({
      text,
      masks: polygons.length === 0 ? others : [{ polygons }, ...others],
    }));
    return { path, height, width, expressions };
  }
}

function draftOf(image: JsonReader, folder: string): Draft {
  const name = image.key('file_name');
  const written = name.string();
  const parts = written.split(/[/\\]/);
  // The name is joined to a folder: it must not lead out of it.
  if (written === '' || written.includes('\0') || parts.includes('..') || isAbsolute(written)) {
    name.fail('the name of a file inside the folder of the images');
  }
  const [height, width] = [image.key('height').integer({ min: 1 }), image.key('width').integer({ min: 1 })];
  if (height * width > MAX_PIXELS) image.key('width').fail(`at most ${MAX_PIXELS} pixels with the height`);
  const path = join(folder, written);
  return new Draft(path, height, width, existsSync(path));
}

/** Empty where the annotation has no mask, or one with nothing inside the image. */
function masksOf(annotation: JsonReader, { height, width }: Draft): WrittenMask[] {
  const segmentation: unknown = annotation.optional('segmentation')?.value;
  if (segmentation === undefined) return [];
  try {
    const rle = annotationToRle(segmentation, height, width);
    if (rle === null || rleArea(rle) === 0) return [];
    // Polygons stay as they are; an encoding, or a list with encodings in it, becomes one.
    if (isListOfLists(segmentation)) return [{ polygons: segmentation.filter(isPolygon) }];
    return [{ rle: { size: [height, width], counts: rleToString(rle) } }];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return annotation.key('segmentation').fail(`a mask (${error.message})`);
  }
}

/** Of numbers, as annotationToRle has found. */
function isListOfLists(segmentation: unknown): segmentation is readonly (readonly number[])[] {
  return Array.isArray(segmentation) && segmentation.every((part) => Array.isArray(part));
}

/** What is not is left out, as the reference does it. */
function isPolygon(coordinates: readonly number[]): boolean {
  return coordinates.length % 2 === 0 && coordinates.length >= FEWEST_COORDINATES;
}
