/** The base's mask prompts: points where they say, boxes around, masks those of the scene's objects. */
import { describe, expect, test } from '@jest/globals';

import { type MaskPromptSample, sampleMaskPrompts } from '../../src/synthetic/base-masks.js';
import { type Scene, sceneRandom, synthScene } from '../../src/synthetic/scene.js';

const sampled = Array.from({ length: 80 }, (_, index) => {
  const scene = synthScene(41, 'base', index);
  return { scene, samples: sampleMaskPrompts(scene, sceneRandom(41, 'base', index).fork(3), 16) };
});
const all = sampled.flatMap(({ scene, samples }) => samples.map((sample) => ({ scene, sample })));

function isBox({ points }: MaskPromptSample): boolean {
  return points.some(({ label }) => label > 1);
}

/** Which object a mask is; -1 where it is none. */
function objectOf(scene: Scene, { mask }: MaskPromptSample): number {
  return scene.objects.findIndex((_, index) =>
    mask.data.every((value, pixel) => (value === 1) === (scene.instances[pixel] === index + 1)),
  );
}

describe('sampleMaskPrompts', () => {
  test('the mask is the visible part of one object, and every object is asked for about equally often', () => {
    for (const { scene, samples } of sampled) {
      const times = scene.objects.map(() => 0);
      for (const sample of samples) {
        const index = objectOf(scene, sample);
        expect(index).toBeGreaterThanOrEqual(0);
        times[index] = (times[index] ?? 0) + 1;
      }
      expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(1);
    }
  });

  test('a foreground point lies on the object, a background point does not; both in the middle of a pixel', () => {
    let background = 0;
    for (const { sample } of all.filter(({ sample }) => !isBox(sample))) {
      const { points, mask } = sample;
      expect(points.map(({ label }) => label)).toEqual(points.length === 1 ? [1] : [1, 0]);
      background += points.length - 1;
      for (const { x, y, label } of points) {
        expect([x % 1, y % 1]).toEqual([0.5, 0.5]);
        expect(mask.data[Math.floor(y) * mask.width + Math.floor(x)]).toBe(label);
      }
    }
    expect(background).toBeGreaterThan(0);
  });

  test('a box goes around the object: each edge within a tenth of the side from the tight one', () => {
    const boxes = all.filter(({ sample }) => isBox(sample));
    for (const { sample } of boxes) {
      const { points, mask } = sample;
      expect(points.map(({ label }) => label)).toEqual([2, 3]);
      const [first, last] = points;
      if (first === undefined || last === undefined) throw new Error('a corner is missing');
      let [left, top, right, bottom] = [Infinity, Infinity, 0, 0];
      mask.data.forEach((value, pixel) => {
        if (value === 0) return;
        const [x, y] = [pixel % mask.width, Math.floor(pixel / mask.width)];
        [left, top, right, bottom] = [
          Math.min(left, x),
          Math.min(top, y),
          Math.max(right, x + 1),
          Math.max(bottom, y + 1),
        ];
      });
      const [across, down] = [0.1 * (right - left), 0.1 * (bottom - top)];
      expect(Math.abs(first.x - left)).toBeLessThanOrEqual(across);
      expect(Math.abs(last.x - right)).toBeLessThanOrEqual(across);
      expect(Math.abs(first.y - top)).toBeLessThanOrEqual(down);
      expect(Math.abs(last.y - bottom)).toBeLessThanOrEqual(down);
    }
    expect(boxes.length / all.length).toBeGreaterThan(0.3);
    expect(boxes.length / all.length).toBeLessThan(0.5);
  });
});
