/**
 * Pascal VOC's folders as own data: SegmentationClass gives the masks (SegmentationObject, with the order of the XML's
 * objects, where there is no class map); objects of Annotations absent from the map are boxes without a mask.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { UserError, messageOf } from '../../errors.js';
import { type ColourMap, readColourPng } from '../../io/image/colour-png.js';
import { readText } from '../../io/json/json-file.js';
import { encodeMask, rleToString } from '../masks/coco-mask.js';
import type { Importer } from './coco-import.js';
import { type ImageDraft, ImageDrafts } from './image-drafts.js';
import { openPicture } from './import-pictures.js';
import { LeftOut } from './left-out.js';
import { OWN_SPLITS, type OwnSplit } from './own-data-line.js';
import { type WrittenMask, expressionOf } from './own-data-writer.js';
import { VocClasses, colourOf } from './voc-classes.js';
import { type XmlElement, childOf, parseXml } from '../../io/xml.js';
import type { Size } from '../image/size-mismatch.js';

const PICTURES = /\.(?:jpe?g|png|webp|tiff?|bmp|gif|avif)$/i;
const NUMBERS = Array.from({ length: 256 }, (_, number) => number);

/** The files of the folder by the names of their pictures, without ending. */
interface VocFiles {
  readonly pictures: ReadonlyMap<string, string>;
  readonly classMaps: ReadonlyMap<string, string>;
  readonly objectMaps: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
  readonly splits: ReadonlyMap<string, OwnSplit>;
}

/** @throws UserError where it is no such folder */
export const importVoc: Importer = async (folder, { keepIncomplete }, onProgress = () => undefined) => {
  const leftOut = new LeftOut();
  const files = filesOf(folder, leftOut);
  const classes = VocClasses.of(folder);
  const drafts = new ImageDrafts();
  const stems = [
    ...new Set([...files.classMaps.keys(), ...files.objectMaps.keys(), ...files.annotations.keys()]),
  ].sort();
  for (const [index, stem] of stems.entries()) {
    onProgress(index, stems.length);
    await takePicture(stem, files, folder, classes, drafts, leftOut);
  }
  onProgress(stems.length, stems.length);
  return { images: drafts.finish(leftOut, keepIncomplete), leftOut };
};

function filesOf(folder: string, leftOut: LeftOut): VocFiles {
  const named = (name: string, ending: RegExp): Map<string, string> => {
    const place = join(folder, name);
    if (!existsSync(place)) return new Map();
    const names = readdirSync(place).filter((file) => ending.test(file) && !file.startsWith('.'));
    return new Map(names.map((file) => [file.replace(/\.[^.]+$/, ''), join(place, file)]));
  };
  const files = {
    pictures: named('JPEGImages', PICTURES),
    classMaps: named('SegmentationClass', /\.png$/i),
    objectMaps: named('SegmentationObject', /\.png$/i),
    annotations: named('Annotations', /\.xml$/i),
  };
  if (files.classMaps.size + files.objectMaps.size + files.annotations.size === 0) {
    throw new UserError(
      `${folder} has no SegmentationClass/*.png, SegmentationObject/*.png or Annotations/*.xml; name the folder that ` +
        'has them, such as VOCdevkit/VOC2012.',
    );
  }
  return { ...files, splits: splitsOf(join(folder, 'ImageSets', 'Segmentation'), leftOut) };
}

/** Lists of names: train.txt, val.txt and test.txt; others (trainval, default) divide nothing. */
function splitsOf(folder: string, leftOut: LeftOut): Map<string, OwnSplit> {
  const splits = new Map<string, OwnSplit>();
  for (const split of OWN_SPLITS) {
    const file = join(folder, `${split}.txt`);
    if (!existsSync(file)) continue;
    for (const line of readText(file, 'names of a split').split(/\r?\n/)) {
      const stem = line.trim();
      const earlier = splits.get(stem);
      if (stem === '' || earlier === split) continue;
      if (earlier === undefined) splits.set(stem, split);
      else leftOut.add('badEntries', `${file}: ${stem} is in ${earlier} too; it stays there`);
    }
  }
  return splits;
}

async function takePicture(
  stem: string,
  files: VocFiles,
  folder: string,
  classes: VocClasses,
  drafts: ImageDrafts,
  leftOut: LeftOut,
): Promise<void> {
  const xml = files.annotations.get(stem);
  const annotation = xml === undefined ? null : leftOut.guard(() => readVocXml(xml));
  const mapFile = files.classMaps.get(stem) ?? files.objectMaps.get(stem);
  const place = mapFile ?? xml ?? stem;
  const picture = files.pictures.get(stem);
  if (picture === undefined) {
    leftOut.add('missingImages', `${place}: there is no ${join(folder, 'JPEGImages', `${stem}.jpg`)}`);
    return;
  }
  const map = mapFile === undefined ? null : leftOut.guard(() => readColourPng(mapFile));
  const opened = await openPicture(picture, { size: map ?? annotation?.size ?? null, place });
  if ('kind' in opened) {
    leftOut.add(opened.kind, opened.fault);
    return;
  }
  const draft = drafts.of(opened.path, opened.size, place);
  draft.split ??= files.splits.get(stem) ?? null;
  // What a file says that cannot be read may be anything.
  if ((xml !== undefined && annotation === null) || (mapFile !== undefined && map === null)) draft.addNameless();
  const shown =
    map === null
      ? new Set<string>()
      : takeMap(map, place, { classes, annotation, isObjects: !files.classMaps.has(stem) }, draft, leftOut);
  if (annotation !== null && xml !== undefined) takeObjects(annotation, xml, shown, draft, leftOut);
}

interface Meaning {
  readonly classes: VocClasses;
  readonly annotation: VocAnnotation | null;
  /** Whether the map numbers objects, in the order of the annotation, not classes. */
  readonly isObjects: boolean;
}

/** @returns the names that the map shows, in lower case */
function takeMap(map: ColourMap, place: string, meaning: Meaning, draft: ImageDraft, leftOut: LeftOut): Set<string> {
  const shown = new Set<string>();
  for (const [region, value] of map.values.entries()) {
    const name = meaning.isObjects ? objectOf(value, map, meaning) : meaning.classes.classOf(value, map);
    if (name === null) continue;
    if (name === undefined) {
      const what = map.isNumbered ? `number ${value}` : `colour #${value.toString(16).padStart(6, '0')}`;
      leftOut.add(
        'unknownCategories',
        `${place}: the ${what}, which stands for no ${meaning.isObjects ? 'object of the XML' : 'class'}`,
      );
      draft.addNameless();
      continue;
    }
    shown.add(name.toLowerCase());
    draft.add(name, [maskOf(map, region)]);
  }
  return shown;
}

/** The name of a numbered object: number 1 is the first of the XML; 0 is the background and 255 the border. */
function objectOf(value: number, { isNumbered }: ColourMap, { annotation }: Meaning): string | null | undefined {
  const number = isNumbered ? value : NUMBERS.find((each) => colourOf(each) === value);
  if (number === 0 || number === 255) return null;
  return number === undefined ? undefined : (annotation?.objects[number - 1] ?? undefined);
}

function maskOf({ regions, height, width }: ColourMap, region: number): WrittenMask {
  const data = Uint8Array.from(regions, (each) => (each === region ? 1 : 0));
  return { rle: { size: [height, width], counts: rleToString(encodeMask({ data, height, width })) } };
}

function takeObjects(
  { objects, faults }: VocAnnotation,
  xml: string,
  shown: ReadonlySet<string>,
  draft: ImageDraft,
  leftOut: LeftOut,
): void {
  for (const fault of faults) leftOut.add('badEntries', fault);
  for (const [index, name] of objects.entries()) {
    if (name === null) draft.addNameless();
    else if (!shown.has(name.toLowerCase())) {
      leftOut.add('boxes', `${xml}: object ${index + 1}, ${JSON.stringify(name)}`);
      draft.addWithoutMask(name, `object ${index + 1} of ${xml} is only a box`);
    }
  }
}

export interface VocAnnotation {
  /** Null where the file lacks it; some programs write 0. */
  readonly size: Size | null;
  /** In the order of the file; null for one whose name cannot be asked for, with the reason in `faults`. */
  readonly objects: readonly (string | null)[];
  readonly faults: readonly string[];
}

/** @throws UserError where it cannot be read or is another kind of XML */
export function readVocXml(file: string): VocAnnotation {
  const root = parseXml(readText(file, "Pascal VOC's annotations"), file);
  if (root.name !== 'annotation') throw new UserError(`${file}: its element is <${root.name}>, expected <annotation>.`);
  const size = childOf(root, 'size');
  const [width, height] = [pixels(size, 'width'), pixels(size, 'height')];
  const faults: string[] = [];
  const objects = root.children
    .filter(({ name }) => name === 'object')
    .map((object, index) => {
      try {
        return expressionOf(childOf(object, 'name')?.text ?? '');
      } catch (error) {
        faults.push(`${file}: object ${index + 1}: ${messageOf(error)}`);
        return null;
      }
    });
  return { size: width > 0 && height > 0 ? { height, width } : null, objects, faults };
}

function pixels(size: XmlElement | null, name: string): number {
  const value = Number((size === null ? null : childOf(size, name))?.text ?? 0);
  return Number.isInteger(value) ? value : 0;
}
