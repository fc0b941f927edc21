import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { openAde20k } from '../../src/data/ade20k.js';
import type { AnnotatedDataset } from '../../src/data/annotated-dataset.js';
import { annotationToRle } from '../../src/data/coco-mask-annotation.js';
import { type Rle, encodeMask, rleToString } from '../../src/data/coco-mask.js';
import { openCocoStuff } from '../../src/data/coco-stuff.js';
import { classMask, presentClasses } from '../../src/data/label-map-classes.js';
import type { LabelMapDataset } from '../../src/data/label-map-dataset.js';
import { openMapillary } from '../../src/data/mapillary.js';
import { openPacoLvis } from '../../src/data/paco-lvis.js';
import { openPascalPart } from '../../src/data/pascal-part.js';
import { readIndexPng } from '../../src/io/index-png.js';
import { fixture } from '../helpers/fixtures.js';

const dataDir = fixture('datasets', 'data');

interface Recorded {
  image: string;
  classes?: string[];
  names?: (string | [string, string])[];
  masks: { size: [number, number]; counts: string }[];
}
const expected = JSON.parse(readFileSync(fixture('datasets', 'expected_semseg.json'), 'utf8')) as Record<
  string,
  Recorded[]
>;

const asRecorded = (rle: Rle): Recorded['masks'][number] => ({ size: [...rle.size], counts: rleToString(rle) });

function labelMapImages(set: LabelMapDataset): Recorded[] {
  return set.images.map(({ image, labels }) => {
    const map = readIndexPng(labels);
    const present = presentClasses(map, set.classes, labels);
    return {
      image: relative(dataDir, image),
      classes: present.map(({ name }) => name),
      masks: present.map(({ value }) => asRecorded(encodeMask(classMask(map, value)))),
    };
  });
}

function annotatedImages(set: AnnotatedDataset): Recorded[] {
  return set.images.map((image, i) => {
    const { annotations, height, width } = set.requestAt(i);
    return {
      image: image.fileName,
      names: annotations.map(({ name }) => name as string | [string, string]),
      masks: annotations.map(({ segmentation }) => asRecorded(annotationToRle(segmentation, height, width) as Rle)),
    };
  });
}

describe('recorded semantic segmentation: images, classes in order, masks to the pixel', () => {
  const read: Record<string, () => Recorded[]> = {
    ade20k: () => labelMapImages(openAde20k(dataDir)),
    cocostuff: () => labelMapImages(openCocoStuff(dataDir)),
    mapillary: () => labelMapImages(openMapillary(dataDir)),
    paco_lvis: () => annotatedImages(openPacoLvis(dataDir)),
    pascal_part: () => annotatedImages(openPascalPart(dataDir)),
  };

  test('nothing that is recorded is left out here', () => {
    expect(Object.keys(read).sort()).toEqual(Object.keys(expected).sort());
  });

  test.each(Object.keys(read))('%s', (name) => {
    expect(read[name]?.()).toEqual(expected[name]);
  });
});

describe('class lists', () => {
  test('ADE20K has 150 classes, of which 0 is none; COCO-Stuff 182 numbers, those with a "-" left out', () => {
    const ade = openAde20k(dataDir).classes;
    expect(ade).toHaveLength(151);
    expect(new Set(ade).size).toBe(151);
    expect([ade[0], ade[1], ade[13], ade[150]]).toEqual([null, 'wall', 'person', 'flag']);
    const stuff = openCocoStuff(dataDir).classes;
    expect(stuff).toHaveLength(182);
    expect(new Set(stuff.filter((name) => name !== null)).size).toBe(182 - 28);
    expect([stuff[0], stuff[95], stuff[168], stuff[181]]).toEqual(['person', null, 'tree', 'wood']);
  });

  test('ADE20K has its validation images too, for evaluation', () => {
    const { images } = openAde20k(dataDir, 'validation');
    expect(images.map(({ labels }) => relative(dataDir, labels))).toEqual(
      [0, 1, 2].map((i) => `ade20k/annotations/validation/ADE_val_0000000${i}.png`),
    );
  });
});
