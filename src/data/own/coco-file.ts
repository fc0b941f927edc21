/** COCO's instances files (and LVIS's) entry by entry: images, categories and annotations by their ids. */
import { existsSync } from 'node:fs';
import { UserError, messageOf } from '../../errors.js';
import { JsonReader } from '../../io/json/json-reader.js';
import { readJsonLists, type TakeRecord } from '../../io/json/json-records.js';
import { RepeatedIds } from '../annotation-files.js';
import type { Size } from '../image/size-mismatch.js';
import type { LeftOut } from './image-drafts.js';
import { expressionOf } from './own-data-writer.js';

/** Ids as texts: they are numbers or texts, and "1" is 1 in files that mix them. */
export type Id = string;

interface CocoImageEntry {
  /** "i.json, images[3]" */
  readonly place: string;
  /** The name of the picture as written, or the address that it was got from. */
  readonly name: string;
  /** In pixels; null where the file lacks it. */
  readonly size: Size | null;
  /** Categories that were sought and not found (LVIS); null where the file lacks them. */
  readonly negative: readonly Id[] | null;
  /** Categories of which not every object is annotated (LVIS). */
  readonly notExhaustive: readonly Id[];
}

export interface CocoFile {
  readonly images: ReadonlyMap<Id, CocoImageEntry>;
  /** Expressions by the ids of the categories; null for a category whose name cannot be one. */
  readonly categories: ReadonlyMap<Id, string | null>;
  readonly annotations: readonly { readonly entry: JsonReader; readonly place: string }[];
  /** Whether the file lists absent categories of images: nothing is known of the others then. */
  readonly saysNegative: boolean;
}

/**
 * Reads the three lists without unreadable entries.
 * @throws UserError where the file cannot be read, lacks a list, or gives two images or categories one id
 */
export function readCocoFile(file: string, leftOut: LeftOut): CocoFile {
  if (!existsSync(file)) throw new UserError(`There is no file ${file} (COCO's instances); check the path.`);
  const images = new Map<Id, CocoImageEntry>();
  const categories = new Map<Id, string | null>();
  const annotations: { entry: JsonReader; place: string }[] = [];
  const imageIds = new RepeatedIds('images');
  const categoryIds = new RepeatedIds('categories');
  const annotationIds = new RepeatedIds('annotations');
  const each = (ids: RepeatedIds, take: (id: Id, entry: JsonReader, place: string) => void): TakeEntry => {
    return (entry, index, place) => {
      leftOut.guard(() => {
        const id = idOf(entry.key('id'));
        if (ids.add(id, index, entry.value)) take(id, entry, place);
      });
    };
  };
  readLists(file, {
    images: each(imageIds, (id, entry, place) => images.set(id, imageOf(entry, place))),
    categories: each(categoryIds, (id, entry) => {
      categories.set(id, null);
      categories.set(id, categoryName(entry));
    }),
    annotations: (entry, index, place) => {
      annotations.push({ entry, place });
      // Nothing refers to the ids of annotations here: both are used, and it is reported.
      const id: unknown = entry.optional('id')?.value;
      if (typeof id === 'number' || typeof id === 'string') annotationIds.add(String(id), index, entry.value);
    },
  });
  const repeated = [...imageIds.faults, ...categoryIds.faults];
  if (repeated.length > 0) {
    const shown = repeated.slice(0, 10).join('; ');
    const more = repeated.length > 10 ? `; and ${repeated.length - 10} more` : '';
    throw new UserError(
      `${file}: ${shown}${more}. An id used twice gives one image the annotations of the other; give each its own.`,
    );
  }
  for (const fault of annotationIds.faults) leftOut.add('repeatedIds', `${file}: ${fault}`);
  const saysNegative = [...images.values()].some(({ negative }) => negative !== null);
  return { images, categories, annotations, saysNegative };
}

/** The id of an entry, or a reference to one. */
export function idOf(reader: JsonReader): Id {
  const { value } = reader;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  return typeof value === 'string' && value !== '' ? value : reader.fail('an id, a whole number or a text');
}

type TakeEntry = (entry: JsonReader, index: number, place: string) => void;

/** Reads these lists of the file entry by entry: COCO's own has 450 MB. */
function readLists(file: string, takers: Readonly<Record<string, TakeEntry>>): void {
  const placed = Object.entries(takers).map(([key, take]) => [
    key,
    (value: unknown, index: number): void => {
      const place = `${file}, ${key}[${index}]`;
      take(JsonReader.of(value, place), index, place);
    },
  ]);
  let keys: readonly string[];
  try {
    keys = readJsonLists(file, Object.fromEntries(placed) as Record<string, TakeRecord>);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`Cannot read ${file} as COCO's instances: ${messageOf(error)}.`);
  }
  const missing = Object.keys(takers).find((key) => !keys.includes(key));
  if (missing !== undefined) {
    throw new UserError(`${file}: the list "${missing}" is missing (there are: ${keys.slice(0, 20).join(', ')}).`);
  }
}

function imageOf(entry: JsonReader, place: string): CocoImageEntry {
  // LVIS of 2020 has no names but the addresses of COCO's pictures.
  const name = entry.optional('file_name') ?? entry.optional('coco_url') ?? entry.key('file_name');
  if (name.string().trim() === '') name.fail('the name of a picture');
  const [height, width] = [pixelsOf(entry.optional('height')), pixelsOf(entry.optional('width'))];
  const ids = (key: string): Id[] | null => entry.optional(key)?.array().map(idOf) ?? null;
  return {
    place,
    name: name.string(),
    size: height === null || width === null ? null : { height, width },
    negative: ids('neg_category_ids'),
    notExhaustive: ids('not_exhaustive_category_ids') ?? [],
  };
}

/** Some programs write numbers as texts. */
function pixelsOf(reader: JsonReader | null): number | null {
  if (reader === null) return null;
  const value = typeof reader.value === 'string' && /^\d+$/.test(reader.value) ? Number(reader.value) : reader.value;
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
    ? value
    : reader.fail('a whole number of at least 1');
}

function categoryName(category: JsonReader): string {
  const name = category.key('name');
  const text = typeof name.value === 'number' ? String(name.value) : name.string();
  return name.orFail('a name', () => expressionOf(text));
}
