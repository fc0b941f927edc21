/**
 * ADE20K (ADEChallengeData2016), 150 classes, 0 for none: <dataDir>/ade20k/{images,annotations}/{training,validation}
 */
import { join } from 'node:path';

import type { NumberedClasses } from './label-map-classes.js';
import { LabelMapDataset, filesEndingIn } from './label-map-dataset.js';

export type Ade20kSplit = 'training' | 'validation';

const NAME = 'ADE20K';
const ADVICE = 'Unpack ADEChallengeData2016.zip and rename its folder to <data>/ade20k.';

/** In the order of their numbers, from 1 (objectInfo150.txt of the challenge; reference: ade20k_classes.json). */
const CLASSES = (
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
export const ADE20K_CLASSES: NumberedClasses = [null, ...CLASSES];

/** @throws UserError where the folder of the pictures is missing or empty */
export function openAde20k(dataDir: string, split: Ade20kSplit = 'training'): LabelMapDataset {
  const root = join(dataDir, 'ade20k');
  const images = join(root, 'images', split);
  return new LabelMapDataset({
    name: NAME,
    classes: ADE20K_CLASSES,
    neverMarked: [],
    images: filesEndingIn('.jpg', images, NAME, ADVICE).map((stem) => ({
      image: join(images, `${stem}.jpg`),
      labels: join(root, 'annotations', split, `${stem}.png`),
    })),
  });
}
