/** Classes, images and masks of the recorded sets are compared by test/verification/datasets.test.ts. */
import { relative } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { openAde20k, openCocoStuff } from '../../../src/data/sem-seg/ade20k.js';
import { fixture } from '../../helpers/fixtures.js';

const dataDir = fixture('datasets', 'data');

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
