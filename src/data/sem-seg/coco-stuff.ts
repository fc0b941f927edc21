/** COCO-Stuff: label maps <dataDir>/cocostuff/train2017/*.png of the pictures <dataDir>/coco/train2017/*.jpg. */
import { join } from 'node:path';

import type { NumberedClasses } from './label-map-classes.js';
import { LabelMapDataset, filesEndingIn } from './label-map-dataset.js';

const NAME = 'COCO-Stuff';
const ADVICE =
  "Unpack stuffthingmaps_trainval2017.zip into <data>/cocostuff and COCO's train2017.zip into <data>/coco.";

/** In the order of their numbers, from 0 (labels.txt of COCO-Stuff without "unlabeled", which is 255 in the maps). */
const CLASSES = (
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
export const COCO_STUFF_CLASSES: NumberedClasses = CLASSES.map((name) => (name.includes('-') ? null : name));

/** @throws UserError where the folder of the label maps is missing or empty */
export function openCocoStuff(dataDir: string): LabelMapDataset {
  const labels = join(dataDir, 'cocostuff', 'train2017');
  return new LabelMapDataset({
    name: NAME,
    classes: COCO_STUFF_CLASSES,
    neverMarked: NEVER_MARKED,
    images: filesEndingIn('.png', labels, NAME, ADVICE).map((stem) => ({
      image: join(dataDir, 'coco', 'train2017', `${stem}.jpg`),
      labels: join(labels, `${stem}.png`),
    })),
  });
}
