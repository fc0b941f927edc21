/**
 * Label maps of PASCAL VOC's layout, of which a file lists the pictures of a split: sets to measure an open vocabulary on.
 * PASCAL VOC 2012 (Everingham et al. 2010) with its 20 classes or with the background as one more, and PASCAL Context
 * (Mottaghi et al. 2014) with its 59 commonest classes, as MMSegmentation writes them (pascal_context.py):
 *
 *   <dataDir>/VOCdevkit/VOC2012/{JPEGImages/*.jpg,SegmentationClass/*.png,ImageSets/Segmentation/val.txt}
 *   <dataDir>/VOCdevkit/VOC2010/{JPEGImages/*.jpg,SegmentationClassContext/*.png,ImageSets/SegmentationContext/val.txt}
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../errors.js';
import { readTextLines } from '../../io/text-lines.js';
import type { LabelMapFiles, LabelMaps, NumberedClasses } from './label-maps.js';

/** Splits of all these sets. */
export const LISTED_SPLITS: readonly [string, ...string[]] = ['val'];
/** Bytes of a line in a list; a name has 11. */
const LONGEST_NAME = 256;

/** In the order of their numbers, from 1, as words: the files write "diningtable", "pottedplant" and "tvmonitor". */
const VOC_NAMES = (
  'aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, dining table, dog, horse, motorbike, person, ' +
  'potted plant, sheep, sofa, train, tv monitor'
).split(', ');

const CONTEXT_NAMES = (
  'aeroplane, bag, bed, bedclothes, bench, bicycle, bird, boat, book, bottle, building, bus, cabinet, car, cat, ' +
  'ceiling, chair, cloth, computer, cow, cup, curtain, dog, door, fence, floor, flower, food, grass, ground, horse, ' +
  'keyboard, light, motorbike, mountain, mouse, person, plate, platform, potted plant, road, rock, sheep, shelves, ' +
  'sidewalk, sign, sky, snow, sofa, table, track, train, tree, truck, tv monitor, wall, water, window, wood'
).split(', ');

interface ListedSet {
  readonly title: string;
  /** By number: what is null is not asked for. */
  readonly classes: NumberedClasses;
  /** Below the data folder. */
  readonly root: string;
  readonly labels: string;
  readonly lists: string;
  readonly advice: string;
}

const VOC = {
  root: 'VOCdevkit/VOC2012',
  labels: 'SegmentationClass',
  lists: 'ImageSets/Segmentation',
  advice: 'Unpack VOCtrainval_11-May-2012.tar into <data>.',
};

export const LISTED_SETS: Readonly<Record<'voc20' | 'voc21' | 'pc59', ListedSet>> = {
  voc20: { ...VOC, title: 'PASCAL VOC 2012, 20 classes', classes: [null, ...VOC_NAMES] },
  voc21: { ...VOC, title: 'PASCAL VOC 2012, 20 classes and background', classes: ['background', ...VOC_NAMES] },
  pc59: {
    title: 'PASCAL Context, 59 classes',
    classes: [null, ...CONTEXT_NAMES],
    root: 'VOCdevkit/VOC2010',
    labels: 'SegmentationClassContext',
    lists: 'ImageSets/SegmentationContext',
    advice: "Unpack VOCtrainval_03-May-2010.tar into <data> and run MMSegmentation's pascal_context.py on it.",
  },
};
export type ListedName = keyof typeof LISTED_SETS;

export function isListedName(name: string): name is ListedName {
  return Object.hasOwn(LISTED_SETS, name);
}

/** Paths of the pictures that a split lists, in its order; files are not looked at. @throws UserError for a bad list */
export function openListedMaps(name: ListedName, dataDir: string, split: string): LabelMaps {
  const { title, classes, root, labels, lists, advice } = LISTED_SETS[name];
  const at = (...parts: string[]): string => join(dataDir, root, ...parts);
  const list = at(lists, `${split}.txt`);
  if (!existsSync(list)) throw new UserError(`Reading ${title}: ${list} is missing. ${advice}`);
  const images = namesIn(list, title).map((stem): LabelMapFiles => {
    return { image: at('JPEGImages', `${stem}.jpg`), labels: at(labels, `${stem}.png`) };
  });
  if (images.length === 0) throw new UserError(`Reading ${title}: ${list} is empty. ${advice}`);
  return { images, classes };
}

function namesIn(list: string, title: string): string[] {
  const names = new Set<string>();
  for (const { number, text, fault } of readTextLines(list, `the pictures of ${title}`, LONGEST_NAME)) {
    const name = text.trim();
    if (name === '' && fault === null) continue;
    const wrong =
      fault ?? (/^[\w-]+$/.test(name) ? null : `it is ${JSON.stringify(name)}, expected the name of a picture`);
    if (wrong !== null)
      throw new UserError(`Reading ${title}: line ${number} of ${list}: ${wrong}. Use the published file.`);
    if (names.has(name)) throw new UserError(`Reading ${title}: line ${number} of ${list} repeats ${name}. Remove it.`);
    names.add(name);
  }
  return [...names];
}
