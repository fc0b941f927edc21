/**
 * YOLO's segmentation labels as own data: next to each folder "images" a folder "labels" with one text per picture and
 * one line per object: the number of its class and its outline, x and y as shares of width and height.
 */
import { existsSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { UserError } from '../../errors.js';
import { readText } from '../../io/json/json-file.js';
import { JsonReader } from '../../io/json/json-reader.js';
import type { Size } from '../image/size-mismatch.js';
import { type ImageDraft, ImageDrafts, type Importer, type LeftOut, openPicture } from './image-drafts.js';
import { filesBelow, ImageFinder } from './image-finder.js';
import { OWN_SPLITS, type OwnSplit } from './own-data-line.js';
import { expressionOf, writtenMasks } from './own-data-writer.js';

/** The description of a set (data.yaml): its classes, and the pictures of each split. */
interface YoloFile {
  /** Expressions by the numbers of the classes; null for a class whose name cannot be one. */
  readonly classes: ReadonlyMap<number, string | null>;
  readonly pictures: readonly {
    readonly split: OwnSplit;
    readonly path: string;
    /** Path of its label file, which need not exist. */
    readonly labels: string;
  }[];
  /** Whether the labels are points of a body behind a box (pose), not outlines. */
  readonly isPose: boolean;
}

const PICTURE = /\.(?:jpe?g|png|webp|gif|tiff?|avif|bmp|heic|heif)$/i;
const KEYS: Readonly<Record<OwnSplit, readonly string[]>> = { train: ['train'], val: ['val', 'valid'], test: ['test'] };

/** x, y, width and height. */
const BOX = 4;
const FEWEST_COORDINATES = 6;
/** Shares may lie outside of the picture by as much: drawn at its edge, rounded. */
const TOLERANCE = 0.01;

/** @throws UserError where data.yaml cannot be read or names no pictures */
export const importYolo: Importer = async (file, { keepIncomplete }, onProgress) => {
  const drafts = new ImageDrafts(onProgress);
  const { leftOut } = drafts;
  const set = readYoloFile(file, leftOut);
  await drafts.each(set.pictures, async ({ path, labels, split }) => {
    const draft = drafts.take(await openPicture(path, null, labels), path);
    if (draft === null) return;
    draft.split ??= split;
    if (draft.split !== split) {
      leftOut.add('badEntries', `${path}: it is in ${draft.split} and in ${split}; it stays in ${draft.split}`);
      return;
    }
    // Without a text nothing is annotated: a picture of the background.
    if (!existsSync(labels)) return;
    leftOut.guard(() => {
      takeLabels(labels, draft, set, leftOut);
    });
  });
  return drafts.finish(keepIncomplete);
};

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
    if (typeof name === 'string') takeObject(name, numbers, place, draft, set.isPose);
  }
}

function takeObject(name: string, numbers: readonly number[], place: string, draft: ImageDraft, isPose: boolean): void {
  const { leftOut } = draft;
  if (isPose || numbers.length === BOX) {
    leftOut.add('boxes', `${place}: ${JSON.stringify(name)}${isPose ? ' (the labels are of a pose)' : ''}`);
    draft.addWithoutMask(name, `${place} is only a box`);
    return;
  }
  const polygon = leftOut.guard(() => polygonOf(numbers, place, draft.size));
  if (polygon === null) draft.addWithoutMask(name, `${place} cannot be read`);
  else draft.add(name, writtenMasks([polygon], draft.size), place);
}

/** Pixels from shares of the picture's size. */
function polygonOf(numbers: readonly number[], place: string, { height, width }: Size): number[] {
  const expected = 'expected the class, then x and y of three points or more as shares of the size, from 0 to 1';
  if (numbers.length % 2 !== 0)
    throw new UserError(`${place}: ${numbers.length} coordinates, an odd number; ${expected}.`);
  if (numbers.length < FEWEST_COORDINATES) throw new UserError(`${place}: ${numbers.length} coordinates; ${expected}.`);
  const outside = numbers.find((value) => !(value >= -TOLERANCE && value <= 1 + TOLERANCE));
  if (outside !== undefined) throw new UserError(`${place}: a coordinate is ${outside}; ${expected}.`);
  return numbers.map((value, index) => value * (index % 2 === 0 ? width : height));
}

/** @throws UserError where it cannot be read, has no classes, or names no folder that is there */
function readYoloFile(file: string, leftOut: LeftOut): YoloFile {
  const root = JsonReader.of(parseYaml(file), file);
  const folders = rootFolders(root, file);
  const pictures: YoloFile['pictures'][number][] = [];
  const tried: string[] = [];
  for (const split of OWN_SPLITS) {
    const source = KEYS[split].map((key) => root.optional(key)).find((found) => found !== null) ?? null;
    if (source === null) continue;
    for (const entry of Array.isArray(source.value) ? source.array() : [source]) {
      const place = placeOf(entry.string(), folders);
      if (place === null) tried.push(`${split}: ${entry.string()}`);
      else for (const path of picturesAt(place, leftOut)) pictures.push({ split, path, labels: labelsOf(path) });
    }
  }
  if (pictures.length === 0) {
    const what = tried.length > 0 ? tried.join(', ') : '"train" and "val" are missing';
    throw new UserError(`${file}: no pictures were found (${what}; looked in ${folders.join(', ')}). Correct "path".`);
  }
  for (const missing of tried) leftOut.add('missingImages', `${file}: ${missing}: there is no such folder or list`);
  return { classes: classesOf(root, leftOut), pictures, isPose: root.optional('kpt_shape') !== null };
}

function parseYaml(file: string): unknown {
  const document = parseDocument(readText(file, "YOLO's data.yaml"));
  const [fault] = document.errors;
  if (fault !== undefined) throw new UserError(`${file} is not valid YAML: ${fault.message.split('\n', 1).join('')}`);
  return document.toJS({ maxAliasCount: 100 }) as unknown;
}

/** Starts of its paths: its own "path", which is often of another machine, and the folder of the file. */
function rootFolders(root: JsonReader, file: string): string[] {
  const own = dirname(resolve(file));
  const path = root.optional('path')?.string();
  const named = path === undefined ? [] : [isAbsolute(path) ? path : resolve(own, path)];
  return [...new Set([...named, own])];
}

/** A folder or a list of pictures; Roboflow writes "../train/images" for a folder next to the file. */
function placeOf(written: string, folders: readonly string[]): string | null {
  const path = written.replaceAll('\\', '/');
  if (isAbsolute(path) && existsSync(path)) return path;
  const inner = path.replace(/^(?:\.\.?\/)+/, '');
  const candidates = folders.flatMap((folder) => [join(folder, path), join(folder, inner)]);
  return candidates.find((candidate) => existsSync(candidate)) ?? null;
}

function picturesAt(place: string, leftOut: LeftOut): string[] {
  if (statSync(place).isDirectory()) return filesBelow(place, PICTURE);
  const finder = new ImageFinder(dirname(place), { absolute: true, leadingOut: true });
  const lines = readText(place, 'list of pictures').split(/\r?\n/);
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    const found = finder.find(line.trim());
    if ('path' in found) return [found.path];
    leftOut.add('missingImages', `${place}, line ${index + 1}: ${found.fault}`);
    return [];
  });
}

/** The last folder "images" of the path becomes "labels", as YOLO does it. */
function labelsOf(picture: string): string {
  const text = picture.replaceAll('\\', '/').replace(/\.[^./]+$/, '.txt');
  const at = text.lastIndexOf('/images/');
  return at < 0 ? text : `${text.slice(0, at)}/labels/${text.slice(at + '/images/'.length)}`;
}

/** A list of names, or an object of names by their numbers. */
function classesOf(root: JsonReader, leftOut: LeftOut): Map<number, string | null> {
  const names = root.key('names');
  const entries: [string, JsonReader][] = Array.isArray(names.value)
    ? names.array().map((name, index) => [String(index), name])
    : names.entries();
  const classes = new Map<number, string | null>();
  for (const [key, name] of entries) {
    const number = Number(key);
    if (!Number.isInteger(number) || number < 0) names.fail('a list of names, or names by the numbers of the classes');
    classes.set(number, null);
    leftOut.guard(() => {
      const text = typeof name.value === 'number' ? String(name.value) : name.string();
      classes.set(number, expressionOf(text));
    });
  }
  return classes;
}
