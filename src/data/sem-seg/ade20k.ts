/** The sets with a label map per image, a PNG whose pixels are class numbers: ADE20K, COCO-Stuff and Mapillary Vistas. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, UserError } from '../../errors.js';
import { JsonPlace, readJsonFile } from '../annotation-files.js';
import { type TrainingSet, trainingSet } from '../facts.js';
import type { LabelMapFiles, LabelMaps, NumberedClasses } from './label-maps.js';
import { checkedClassName, type LabelMapRequest } from './sem-seg-sample.js';

export interface LabelMapDataset extends TrainingSet<LabelMapRequest>, LabelMaps {}

export type Ade20kSplit = 'training' | 'validation';

/** In the order of their numbers, from 1 (objectInfo150.txt of the challenge; reference: ade20k_classes.json). */
const ADE20K_NAMES = (
  'wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk, person, earth, ' +
  'door, table, mountain, plant, curtain, chair, car, water, painting, sofa, shelf, house, sea, mirror, rug, ' +
  'field, armchair, seat, fence, desk, rock, wardrobe, lamp, bathtub, railing, cushion, base, box, column, ' +
  'signboard, chest of drawers, counter, sand, sink, skyscraper, fireplace, refrigerator, grandstand, path, ' +
  'stairs, runway, case, pool table, pillow, screen door, stairway, river, bridge, bookcase, blind, coffee table, ' +
  'toilet, flower, book, hill, bench, countertop, stove, palm, kitchen island, computer, swivel chair, boat, bar, ' +
  'arcade machine, hovel, bus, towel, light, truck, tower, chandelier, awning, streetlight, booth, ' +
  'television receiver, airplane, dirt track, apparel, pole, land, bannister, escalator, ottoman, bottle, buffet, ' +
  'poster, stage, van, ship, fountain, conveyer belt, canopy, washer, plaything, swimming pool, stool, barrel, ' +
  'basket, waterfall, tent, bag, minibike, cradle, oven, ball, food, step, tank, trade name, microwave, pot, ' +
  'animal, bicycle, lake, dishwasher, screen, blanket, sculpture, hood, sconce, vase, traffic light, tray, ashcan, ' +
  'fan, pier, crt screen, plate, monitor, bulletin board, shower, radiator, glass, clock, flag'
).split(', ');

/** Classes by number of ADE20K's label maps: 0 is no class. */
export const ADE20K_CLASSES: NumberedClasses = [null, ...ADE20K_NAMES];

/**
 * ADE20K (ADEChallengeData2016): <dataDir>/ade20k/{images,annotations}/{training,validation}.
 * @throws UserError where the folder of the pictures is missing or empty
 */
export function openAde20k(dataDir: string, split: Ade20kSplit = 'training'): LabelMapDataset {
  const [images, labels] = ['images', 'annotations'].map((kind) => join(dataDir, 'ade20k', kind, split)) as [
    string,
    string,
  ];
  const advice = 'Unpack ADEChallengeData2016.zip and rename its folder to <data>/ade20k.';
  return labelMapDataset('ADE20K', ADE20K_CLASSES, images, labels, filesEndingIn('.jpg', images, 'ADE20K', advice));
}

/** In the order of their numbers, from 0 (labels.txt of COCO-Stuff without "unlabeled", which is 255 in the maps). */
const STUFF_NAMES = (
  'person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, street sign, ' +
  'stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, hat, ' +
  'backpack, umbrella, shoe, eye glasses, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, ' +
  'baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, plate, wine glass, cup, fork, ' +
  'knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, ' +
  'couch, potted plant, bed, mirror, dining table, window, desk, toilet, door, tv, laptop, mouse, remote, ' +
  'keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, blender, book, clock, vase, scissors, ' +
  'teddy bear, hair drier, toothbrush, hair brush, banner, blanket, branch, bridge, building-other, bush, cabinet, ' +
  'cage, cardboard, carpet, ceiling-other, ceiling-tile, cloth, clothes, clouds, counter, cupboard, curtain, ' +
  'desk-stuff, dirt, door-stuff, fence, floor-marble, floor-other, floor-stone, floor-tile, floor-wood, flower, ' +
  'fog, food-other, fruit, furniture-other, grass, gravel, ground-other, hill, house, leaves, light, mat, metal, ' +
  'mirror-stuff, moss, mountain, mud, napkin, net, paper, pavement, pillow, plant-other, plastic, platform, ' +
  'playingfield, railing, railroad, river, road, rock, roof, rug, salad, sand, sea, shelf, sky, skyscraper, snow, ' +
  'solid-other, stairs, stone, straw, structural-other, table, tent, textile-other, towel, tree, vegetable, ' +
  'wall-brick, wall-concrete, wall-other, wall-panel, wall-stone, wall-tile, wall-wood, water-other, waterdrops, ' +
  'window-blind, window-other, wood'
).split(', ');

/** These are on the list of COCO's things, but its annotators were not asked for them: that they lack says nothing. */
const NEVER_MARKED =
  'street sign, hat, shoe, eye glasses, plate, mirror, window, desk, door, blender, hair brush'.split(', ');

/** Classes by number. Classes such as "floor-wood" are left out, as in the reference: nobody asks by these names. */
export const COCO_STUFF_CLASSES: NumberedClasses = STUFF_NAMES.map((name) => (name.includes('-') ? null : name));

/**
 * COCO-Stuff: label maps <dataDir>/cocostuff/train2017/*.png of the pictures <dataDir>/coco/train2017/*.jpg.
 * @throws UserError where the folder of the label maps is missing or empty
 */
export function openCocoStuff(dataDir: string): LabelMapDataset {
  const name = 'COCO-Stuff';
  const labels = join(dataDir, 'cocostuff', 'train2017');
  const advice =
    "Unpack stuffthingmaps_trainval2017.zip into <data>/cocostuff and COCO's train2017.zip into <data>/coco.";
  const stems = filesEndingIn('.png', labels, name, advice);
  return labelMapDataset(name, COCO_STUFF_CLASSES, join(dataDir, 'coco', 'train2017'), labels, stems, NEVER_MARKED);
}

export type MapillarySplit = 'training' | 'validation';

const MAPILLARY = 'Mapillary Vistas';
const MAPILLARY_ADVICE = 'Unpack the published archive (v2.0) into <data>/mapillary.';

/**
 * Mapillary Vistas v2.0, street scenes: palette PNGs <dataDir>/mapillary/<split>/v2.0/labels/*.png whose indices count
 * the labels of config_v2.0.json, in lower case, "unlabeled" too.
 * @throws UserError for a bad configuration, or without label maps
 */
export function openMapillary(dataDir: string, split: MapillarySplit = 'training'): LabelMapDataset {
  const root = join(dataDir, 'mapillary', split);
  const labels = join(root, 'v2.0', 'labels');
  const classes = mapillaryClasses(dataDir);
  const stems = filesEndingIn('.png', labels, MAPILLARY, MAPILLARY_ADVICE);
  return labelMapDataset(MAPILLARY, classes, join(root, 'images'), labels, stems);
}

/** Classes by number, in lower case. @throws UserError where the configuration is missing or malformed */
export function mapillaryClasses(dataDir: string): NumberedClasses {
  const config = join(dataDir, 'mapillary', 'config_v2.0.json');
  const labels = new JsonPlace(readJsonFile(MAPILLARY, config, MAPILLARY_ADVICE), MAPILLARY, config).key('labels');
  return labels.array().map((label) => checkedClassName(label.key('readable')).toLowerCase());
}

/** @param neverMarked classes of the list that the annotators never marked, though the pictures may show them */
function labelMapDataset(
  name: string,
  classes: NumberedClasses,
  imageDir: string,
  labelDir: string,
  stems: readonly string[],
  neverMarked: readonly string[] = [],
): LabelMapDataset {
  const images = stems.map((stem): LabelMapFiles => {
    return { image: join(imageDir, `${stem}.jpg`), labels: join(labelDir, `${stem}.png`) };
  });
  const set = trainingSet<LabelMapFiles, LabelMapRequest>(name, 'sem_seg', images, (files) => {
    return { ...files, classes, neverMarked };
  });
  return { ...set, images, classes };
}

/** Sorted names, without `ending`, of a folder's files. @throws UserError where the folder is missing or has none */
function filesEndingIn(ending: string, folder: string, set: string, advice: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw new UserError(`Reading ${set}: cannot list ${folder} (${messageOf(error)}). ${advice}`);
  }
  const stems = names
    .filter((name) => name.endsWith(ending) && !name.startsWith('.'))
    .map((name) => name.slice(0, -ending.length))
    .sort();
  if (stems.length === 0) throw new UserError(`Reading ${set}: ${folder} has no *${ending} files. ${advice}`);
  return stems;
}
