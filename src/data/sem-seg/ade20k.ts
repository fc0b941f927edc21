/** The sets with label maps: ADE20K, COCO-Stuff and Mapillary Vistas. */
import { join } from 'node:path';
import { JsonPlace, readJsonFile } from '../annotation-files.js';
import { checkedClassName } from './class-name.js';
import type { NumberedClasses } from './label-map-classes.js';
import { filesEndingIn, LabelMapDataset } from './label-map-dataset.js';

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
  const root = join(dataDir, 'ade20k');
  const images = join(root, 'images', split);
  return new LabelMapDataset({
    name: 'ADE20K',
    classes: ADE20K_CLASSES,
    neverMarked: [],
    images: filesEndingIn(
      '.jpg',
      images,
      'ADE20K',
      'Unpack ADEChallengeData2016.zip and rename its folder to <data>/ade20k.',
    ).map((stem) => ({
      image: join(images, `${stem}.jpg`),
      labels: join(root, 'annotations', split, `${stem}.png`),
    })),
  });
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
  const labels = join(dataDir, 'cocostuff', 'train2017');
  return new LabelMapDataset({
    name: 'COCO-Stuff',
    classes: COCO_STUFF_CLASSES,
    neverMarked: NEVER_MARKED,
    images: filesEndingIn(
      '.png',
      labels,
      'COCO-Stuff',
      "Unpack stuffthingmaps_trainval2017.zip into <data>/cocostuff and COCO's train2017.zip into <data>/coco.",
    ).map((stem) => ({
      image: join(dataDir, 'coco', 'train2017', `${stem}.jpg`),
      labels: join(labels, `${stem}.png`),
    })),
  });
}

export type MapillarySplit = 'training' | 'validation';

const MAPILLARY_ADVICE = 'Unpack the published archive (v2.0) into <data>/mapillary.';

/**
 * Mapillary Vistas v2.0, street scenes: palette PNGs <dataDir>/mapillary/<split>/v2.0/labels/*.png whose indices count
 * the labels of config_v2.0.json, in lower case, "unlabeled" too.
 * @throws UserError for a bad configuration, or without label maps
 */
export function openMapillary(dataDir: string, split: MapillarySplit = 'training'): LabelMapDataset {
  const root = join(dataDir, 'mapillary');
  const labels = join(root, split, 'v2.0', 'labels');
  const classes = mapillaryClasses(dataDir);
  return new LabelMapDataset({
    name: 'Mapillary Vistas',
    classes,
    neverMarked: [],
    images: filesEndingIn('.png', labels, 'Mapillary Vistas', MAPILLARY_ADVICE).map((stem) => ({
      image: join(root, split, 'images', `${stem}.jpg`),
      labels: join(labels, `${stem}.png`),
    })),
  });
}

/** Classes by number, in lower case. @throws UserError where the configuration is missing or malformed */
export function mapillaryClasses(dataDir: string): NumberedClasses {
  const config = join(dataDir, 'mapillary', 'config_v2.0.json');
  return new JsonPlace(readJsonFile('Mapillary Vistas', config, MAPILLARY_ADVICE), 'Mapillary Vistas', config)
    .key('labels')
    .list()
    .map((label) => checkedClassName(label.key('readable')).toLowerCase());
}
