/** data/samples: the pictures are the scenes that samples.json names, and its expressions are true of them. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { renderScene } from '../../src/synthetic/render.js';
import { type SynthSplit, synthScene } from '../../src/synthetic/scene.js';
import { readImage } from '../../src/io/image/image-file.js';
import { meaningOf } from './scene-english.js';

interface Samples {
  seed: number;
  split: SynthSplit;
  images: { file: string; index: number; expressions: { text: string; targets: number }[] }[];
}

const folder = resolve('data', 'samples');
const samples = JSON.parse(readFileSync(join(folder, 'samples.json'), 'utf8')) as Samples;

describe('data/samples', () => {
  test.each(samples.images)('$file', async ({ file, index, expressions }) => {
    const scene = synthScene(samples.seed, samples.split, index);
    const rendered = renderScene(scene);
    const image = await readImage(join(folder, file));
    expect([image.height, image.width]).toEqual([scene.height, scene.width]);
    const apart = image.data.reduce((sum, value, at) => sum + Math.abs(value - (rendered.data[at] as number)), 0);
    expect(apart / image.data.length).toBeLessThan(6);
    for (const { text, targets } of expressions) {
      expect({ text, targets: meaningOf(scene, text).objects.length }).toEqual({ text, targets });
    }
    expect(expressions.some(({ targets }) => targets === 0)).toBe(true);
    expect(expressions.some(({ targets }) => targets > 1)).toBe(true);
  });
});
