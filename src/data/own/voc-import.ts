/**
 * Pascal VOC's folders as own data: SegmentationClass gives the masks (SegmentationObject, with the order of the XML's
 * objects, where there is no class map); objects of Annotations absent from the map are boxes without a mask.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, UserError } from '../../errors.js';
import { type ColourMap, readColourPng } from '../../io/image/index-png.js';
import { readText } from '../../io/json/json-file.js';
import { childOf, parseXml } from '../../io/xml.js';
import type { Size } from '../image/size-mismatch.js';
import { maskToRle } from '../masks/mask-exchange.js';
import { type ImageDraft, ImageDrafts, type Importer, type LeftOut, openPicture } from './image-drafts.js';
import { OWN_SPLITS, type OwnSplit } from './own-data-line.js';
import { expressionOf } from './own-data-writer.js';

const PICTURES = /\.(?:jpe?g|png|webp|tiff?|bmp|gif|avif)$/i;
const NUMBERS = Array.from({ length: 256 }, (_, number) => number);

/** @throws UserError where it is no such folder */
export const importVoc: Importer = async (folder, { keepIncomplete }, onProgress) => {
  const drafts = new ImageDrafts(onProgress);
  const files = filesOf(folder, drafts.leftOut);
  const { classMaps, objectMaps, annotations } = files;
  const stems = [...new Set([...classMaps.keys(), ...objectMaps.keys(), ...annotations.keys()])].sort();
  await drafts.each(stems, (stem) => takePicture(stem, files, drafts));
  return drafts.finish(keepIncomplete);
};

/** The files of the folder by the names of their pictures, without ending. */
function filesOf(folder: string, leftOut: LeftOut) {
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
  const splits = splitsOf(join(folder, 'ImageSets', 'Segmentation'), leftOut);
  return { ...files, folder, splits, classes: VocClasses.of(folder) };
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

async function takePicture(stem: string, files: ReturnType<typeof filesOf>, drafts: ImageDrafts): Promise<void> {
  const { leftOut } = drafts;
  const xml = files.annotations.get(stem);
  const annotation = xml === undefined ? null : leftOut.guard(() => readVocXml(xml));
  const mapFile = files.classMaps.get(stem) ?? files.objectMaps.get(stem);
  const place = mapFile ?? xml ?? stem;
  const picture = files.pictures.get(stem);
  if (picture === undefined) {
    leftOut.add('missingImages', `${place}: there is no ${join(files.folder, 'JPEGImages', `${stem}.jpg`)}`);
    return;
  }
  const map = mapFile === undefined ? null : leftOut.guard(() => readColourPng(mapFile));
  const draft = drafts.take(await openPicture(picture, map ?? annotation?.size ?? null, place), place);
  if (draft === null) return;
  draft.split ??= files.splits.get(stem) ?? null;
  // What a file says that cannot be read may be anything.
  if ((xml !== undefined && annotation === null) || (mapFile !== undefined && map === null)) draft.addNameless();
  const meaning = { classes: files.classes, annotation, isObjects: !files.classMaps.has(stem) };
  const shown = map === null ? [] : takeMap(map, place, meaning, draft);
  if (annotation !== null && xml !== undefined) takeObjects(annotation, xml, new Set(shown), draft);
}

interface Meaning {
  readonly classes: VocClasses;
  readonly annotation: VocAnnotation | null;
  /** Whether the map numbers objects, in the order of the annotation, not classes. */
  readonly isObjects: boolean;
}

/** @returns the names that the map shows, in lower case */
function takeMap(map: ColourMap, place: string, meaning: Meaning, draft: ImageDraft): string[] {
  return map.values.flatMap((value, region) => {
    const name = meaning.isObjects ? objectOf(value, map, meaning) : meaning.classes.classOf(value, map);
    if (name === null) return [];
    if (name === undefined) {
      const what = map.isNumbered ? `number ${value}` : `colour #${value.toString(16).padStart(6, '0')}`;
      const meant = meaning.isObjects ? 'object of the XML' : 'class';
      draft.leftOut.add('unknownCategories', `${place}: the ${what}, which stands for no ${meant}`);
      draft.addNameless();
      return [];
    }
    const data = Uint8Array.from(map.regions, (each) => (each === region ? 1 : 0));
    draft.add(name, [{ rle: maskToRle({ data, ...draft.size }) }], place);
    return [name.toLowerCase()];
  });
}

/** The name of a numbered object: number 1 is the first of the XML; 0 is the background and 255 the border. */
function objectOf(value: number, { isNumbered }: ColourMap, { annotation }: Meaning): string | null | undefined {
  const number = isNumbered ? value : NUMBERS.find((each) => colourOf(each) === value);
  if (number === 0 || number === 255) return null;
  return number === undefined ? undefined : (annotation?.objects[number - 1] ?? undefined);
}

function takeObjects(annotation: VocAnnotation, xml: string, shown: ReadonlySet<string>, draft: ImageDraft): void {
  const { leftOut } = draft;
  for (const fault of annotation.faults) leftOut.add('badEntries', fault);
  for (const [index, name] of annotation.objects.entries()) {
    if (name === null) draft.addNameless();
    else if (!shown.has(name.toLowerCase())) {
      leftOut.add('boxes', `${xml}: object ${index + 1}, ${JSON.stringify(name)}`);
      draft.addWithoutMask(name, `object ${index + 1} of ${xml} is only a box`);
    }
  }
}

interface VocAnnotation {
  /** Null where the file lacks it; some programs write 0. */
  readonly size: Size | null;
  /** In the order of the file; null for one whose name cannot be asked for, with the reason in `faults`. */
  readonly objects: readonly (string | null)[];
  readonly faults: readonly string[];
}

/** @throws UserError where it cannot be read or is another kind of XML */
function readVocXml(file: string): VocAnnotation {
  const root = parseXml(readText(file, "Pascal VOC's annotations"), file);
  if (root.name !== 'annotation') throw new UserError(`${file}: its element is <${root.name}>, expected <annotation>.`);
  const size = childOf(root, 'size');
  const pixels = (name: string): number => {
    const value = Number((size === null ? null : childOf(size, name))?.text ?? 0);
    return Number.isInteger(value) ? value : 0;
  };
  const [width, height] = [pixels('width'), pixels('height')];
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

/** In the order of their numbers, from 1. */
const PUBLISHED = (
  'aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, diningtable, dog, horse, motorbike, person, ' +
  'pottedplant, sheep, sofa, train, tvmonitor'
).split(', ');
/** Number of the border between objects, and of unclear pixels. */
const VOID = 255;

/** The classes of Pascal VOC and the colours that stand for them in its label maps. */
class VocClasses {
  private constructor(
    private readonly byColour: ReadonlyMap<number, string | null>,
    private readonly byNumber: readonly (string | null)[],
  ) {}

  /** Classes of labelmap.txt (as CVAT writes it), else the published ones. @throws UserError where it cannot be read */
  static of(folder: string): VocClasses {
    const file = join(folder, 'labelmap.txt');
    if (existsSync(file)) return VocClasses.read(file);
    const names = [null, ...PUBLISHED];
    return new VocClasses(new Map(names.map((name, number) => [colourOf(number), name])), names);
  }

  /** Lines "name:red,green,blue:parts:actions"; "background" is none. */
  private static read(file: string): VocClasses {
    const byColour = new Map<number, string | null>();
    const names: (string | null)[] = [];
    for (const [index, line] of readText(file, 'names and colours of the classes').split(/\r?\n/).entries()) {
      if (line.trim() === '' || line.startsWith('#')) continue;
      const [label = '', colour = ''] = line.split(':');
      const samples = colour.split(',').map(Number);
      const isColour =
        samples.length === 3 && samples.every((sample) => Number.isInteger(sample) && sample >= 0 && sample < 256);
      if (!isColour)
        throw new UserError(
          `${file}, line ${index + 1}: expected name:red,green,blue::, found ${JSON.stringify(line.slice(0, 80))}.`,
        );
      const name = label.trim() === 'background' ? null : expressionOf(label);
      byColour.set(
        samples.reduce((sum, sample) => sum * 256 + sample, 0),
        name,
      );
      names.push(name);
    }
    if (!byColour.has(0)) byColour.set(0, null);
    return new VocClasses(byColour, names);
  }

  /** The class of a colour, or of a number in a grey map; null for none, undefined for one that nobody knows. */
  classOf(value: number, { isNumbered }: Pick<ColourMap, 'isNumbered'>): string | null | undefined {
    if (isNumbered) return value === VOID ? null : this.byNumber[value];
    return value === colourOf(VOID) ? (this.byColour.get(value) ?? null) : this.byColour.get(value);
  }
}

/** The colour that VOC's palette has for a number: its bits, three by three, are the highest bits of red, green, blue. */
export function colourOf(number: number): number {
  const samples = [0, 0, 0];
  for (let bit = 0; bit < 8; bit++) {
    for (let channel = 0; channel < 3; channel++) {
      samples[channel] = (samples[channel] as number) | (((number >> (3 * bit + channel)) & 1) << (7 - bit));
    }
  }
  return samples.reduce((sum, sample) => sum * 256 + sample, 0);
}
