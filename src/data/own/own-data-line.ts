/**
 * One line of a user's own data (docs/your-data.md): an image, and expressions with their masks.
 *
 *     {"image": "images/1.jpg", "expressions": [{"text": "the cat", "mask": {"polygons": [[9, 9, 60, 9, 60, 40]]}}]}
 */
import { UserError, messageOf } from '../../errors.js';
import { JsonReader } from '../../io/json/json-reader.js';
import type { Size } from '../image/size-mismatch.js';
import { isPolygon, type MaskSource } from '../masks/coco-mask-annotation.js';
import { MAX_COORDINATE, MAX_PIXELS, rleFromCounts, rleFromString } from '../masks/coco-mask.js';
import { checkedExpression, cleanExpression } from '../text/expression.js';
import { ImageFinder } from './image-finder.js';

export const OWN_SPLITS = ['train', 'val', 'test'] as const;
export type OwnSplit = (typeof OWN_SPLITS)[number];

export interface OwnExpression {
  /** Without surrounding spaces and dots. */
  readonly text: string;
  /** Paths are those to open. None where nothing in the image fits; the mask is their union. */
  readonly masks: readonly MaskSource[];
}

/** Content of a line; null for absent keys. */
export interface OwnRecord {
  /** Number of the line. */
  readonly line: number;
  /** As written, and the path to open. */
  readonly image: string;
  readonly path: string;
  readonly split: OwnSplit | null;
  readonly size: Size | null;
  readonly expressions: readonly OwnExpression[];
}

const MASK_KEYS = ['polygons', 'rle', 'png'] as const;
const LONGEST_TEXT = 500;
/** Line breaks and the like, and halves of characters. */
const NOT_TEXT = /[\p{Cc}\p{Cs}\u2028\u2029]/u;

/**
 * Checks everything that needs no other file.
 * @param folder that of the file, for relative paths
 * @param place "data.jsonl, line 17": the beginning of errors
 * @param finder of the folder, one for all lines, so that two names do not become one picture
 * @throws UserError that describes the fault
 */
export function parseOwnLine(
  json: unknown,
  line: number,
  folder: string,
  place: string,
  finder = ownFinder(folder),
): OwnRecord {
  const root = JsonReader.of(json, place);
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new UserError(`${place}: expected an object, {"image": …, "expressions": […]}.`);
  }
  root.onlyKeys(['image', 'width', 'height', 'split', 'expressions', 'info']);
  const image = root.key('image').string();
  const expressions = root.key('expressions').array();
  if (expressions.length === 0) root.key('expressions').fail('at least one expression');
  return {
    line,
    image,
    path: pathOf(root.key('image'), finder),
    split: root.optional('split')?.oneOf(OWN_SPLITS) ?? null,
    size: sizeOf(root),
    expressions: expressions.flatMap((expression) => expressionsOf(expression, folder, place)),
  };
}

/** Finder of the files that lines name. */
export function ownFinder(folder: string): ImageFinder {
  return new ImageFinder(folder, { absolute: true, leadingOut: false });
}

/**
 * Relative paths stay inside the folder of the file, so that it can be moved as a whole. Where one leads out of it, or
 * comes from another machine, the file of that name in the folder is meant.
 */
function pathOf(reader: JsonReader, finder: ImageFinder): string {
  const path = reader.string();
  if (path.trim() === '' || path.includes('\0')) return reader.fail('the path of a file');
  const found = finder.find(path);
  if ('path' in found) return found.path;
  // What is missing is reported with the pictures.
  if (found.wouldBe !== null) return found.wouldBe;
  return reader.fail(`a path inside the folder of this file (without ..), or an absolute one (${found.fault})`);
}

function sizeOf(root: JsonReader): Size | null {
  if (root.optional('width') === null && root.optional('height') === null) return null;
  const size = {
    height: root.key('height').integer({ min: 1, max: MAX_PIXELS }),
    width: root.key('width').integer({ min: 1, max: MAX_PIXELS }),
  };
  if (size.height * size.width > MAX_PIXELS) root.key('width').fail(`at most ${MAX_PIXELS} pixels with the height`);
  return size;
}

/** One for each of the texts. */
function expressionsOf(expression: JsonReader, folder: string, place: string): OwnExpression[] {
  const keys = expression.onlyKeys(['text', 'mask', 'info']).object();
  const texts = listOf(expression.key('text'), 'a text, or several');
  // A forgotten mask must not be read as "not here".
  if (!Object.hasOwn(keys, 'mask')) expression.fail('one with the key "mask" (null where the thing is absent)');
  const parts =
    keys.mask === null
      ? []
      : listOf(expression.key('mask'), 'a mask, a list of masks, or null where the thing is absent');
  const masks = parts.map((part) => maskOf(part, folder, place));
  return texts.map((reader) => ({ text: textOf(reader, place), masks }));
}

/** The values of a list, or the one value. */
function listOf(reader: JsonReader, expected: string): JsonReader[] {
  const readers = Array.isArray(reader.value) ? reader.array() : [reader];
  return readers.length > 0 ? readers : reader.fail(expected);
}

function textOf(reader: JsonReader, place: string): string {
  const text = reader.string();
  if (text.length > LONGEST_TEXT) reader.fail(`at most ${LONGEST_TEXT} characters`);
  if (NOT_TEXT.test(text)) reader.fail('a text of one line without control characters');
  explained(reader, place, () => checkedExpression(text));
  return cleanExpression(text).trim();
}

function maskOf(mask: JsonReader, folder: string, place: string): MaskSource {
  const given = Object.keys(mask.onlyKeys(MASK_KEYS).object());
  const [kind] = given;
  if (given.length !== 1) mask.fail(`one with one of the keys ${MASK_KEYS.join(', ')}`);
  if (kind === 'png') return { png: pathOf(mask.key(kind), ownFinder(folder)) };
  if (kind === 'polygons') return { segmentation: polygonsOf(mask.key(kind)) };
  return { segmentation: rleOf(mask.key('rle'), place) };
}

function polygonsOf(reader: JsonReader): readonly (readonly number[])[] {
  const polygons = reader.array();
  if (polygons.length === 0) reader.fail('at least one polygon');
  return polygons.map((polygon) => {
    const coordinates = polygon.numbers();
    if (!isPolygon(coordinates)) return polygon.fail('three points or more, [x, y, x, y, x, y, …]');
    if (coordinates.some((value) => Math.abs(value) > MAX_COORDINATE)) {
      return polygon.fail(`coordinates in pixels, within ±${MAX_COORDINATE}`);
    }
    return coordinates;
  });
}

function rleOf(reader: JsonReader, place: string): { size: [number, number]; counts: unknown } {
  reader.onlyKeys(['size', 'counts']);
  const size = reader.key('size').numbers();
  const [height, width] = size;
  if (size.length !== 2 || height === undefined || width === undefined) {
    return reader.key('size').fail('[height, width]');
  }
  const counts: unknown = reader.key('counts').value;
  if (typeof counts === 'string') explained(reader, place, () => rleFromString(counts, height, width));
  else if (Array.isArray(counts)) explained(reader, place, () => rleFromCounts(counts, height, width));
  else reader.key('counts').fail('a list of numbers, or a compressed text');
  return { size: [height, width], counts };
}

/** Another part's error, with the place in front. */
function explained(reader: JsonReader, place: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    throw new UserError(`${place}: "${reader.path}": ${messageOf(error)}`);
  }
}

/**
 * Own data where a dataset is named: "my/data.jsonl", or "my/data.jsonl:val" for another split than train; null for the
 * name of a published dataset.
 */
export function ownDataSpec(text: string): { readonly file: string; readonly split: OwnSplit } | null {
  const split = OWN_SPLITS.find((name) => text.endsWith(`:${name}`));
  const file = split === undefined ? text : text.slice(0, -split.length - 1);
  return /\.jsonl?$/i.test(file) ? { file, split: split ?? 'train' } : null;
}
