/** The scenes: reproducible, disjoint between splits, and such that every object can be seen and named. */
import { createHash } from 'node:crypto';

import { describe, expect, test } from '@jest/globals';

import { readImage, encodeJpeg } from '../../src/io/image/image-file.js';
import { renderScene } from '../../src/synthetic/render.js';
import {
  MIN_VISIBLE,
  SYNTH_SPLITS,
  type Scene,
  sceneRandom,
  synthScene,
  visibleMask,
} from '../../src/synthetic/scene.js';
import { COLOURS, COLOUR_RGB, SHAPES, insideDistance, toLocal } from '../../src/synthetic/shapes.js';
import { seenAt } from './scene-english.js';

const scenes = Array.from({ length: 300 }, (_, index) => synthScene(11, 'train', index));
const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const asText = (scene: Scene): string => JSON.stringify({ ...scene, instances: hash(scene.instances) });

describe('synthScene', () => {
  test('the same seed, split and index give the same scene and picture; another of them does not', () => {
    const scene = synthScene(5, 'val', 3);
    expect(asText(synthScene(5, 'val', 3))).toBe(asText(scene));
    expect(hash(renderScene(synthScene(5, 'val', 3)).data)).toBe(hash(renderScene(scene).data));
    for (const other of [synthScene(6, 'val', 3), synthScene(5, 'testA', 3), synthScene(5, 'val', 4)]) {
      expect(asText(other)).not.toBe(asText(scene));
    }
  });

  test('no scene of a split is one of another split: 2,000 different generators and 20 different scenes of each', () => {
    const indices = Array.from({ length: 2_000 }, (_, index) => index);
    const states = SYNTH_SPLITS.flatMap((split) => indices.map((i) => sceneRandom(1, split, i).state.join()));
    expect(new Set(states).size).toBe(states.length);
    const texts = SYNTH_SPLITS.flatMap((split) => indices.slice(0, 20).map((i) => asText(synthScene(1, split, i))));
    expect(new Set(texts).size).toBe(texts.length);
  });

  test('2 to 8 objects of all colours and shapes; sizes and aspect ratios vary; some overlap, most do not', () => {
    const counts = new Set(scenes.map((scene) => scene.objects.length));
    expect([...counts].sort()).toEqual([2, 3, 4, 5, 6, 7, 8]);
    const objects = scenes.flatMap((scene) => scene.objects);
    expect(new Set(objects.map(({ colour }) => colour)).size).toBe(COLOURS.length);
    expect(new Set(objects.map(({ shape }) => shape)).size).toBe(SHAPES.length);
    expect(new Set(scenes.map(({ width, height }) => `${width}x${height}`)).size).toBeGreaterThan(200);
    const overlapping = scenes.filter(({ objects }) => objects.some(({ visibility }) => visibility < 1));
    expect(overlapping.length / scenes.length).toBeGreaterThan(0.15);
    expect(overlapping.length / scenes.length).toBeLessThan(0.5);
  });

  test('at least 55 % of every object is visible, counted from the outline and the pixels', () => {
    for (const { objects } of scenes) {
      for (const { visibility } of objects) expect(visibility).toBeGreaterThanOrEqual(MIN_VISIBLE);
    }
    for (const scene of scenes.slice(0, 15)) {
      scene.objects.forEach((object, index) => {
        let [whole, visible] = [0, 0];
        const reach = 1.5 * object.radius;
        scene.instances.forEach((id, pixel) => {
          if (id === index + 1) visible++;
          const [x, y] = [(pixel % scene.width) + 0.5, Math.floor(pixel / scene.width) + 0.5];
          if (Math.abs(x - object.x) > reach || Math.abs(y - object.y) > reach) return;
          const [u, v] = toLocal(object, x, y);
          if (insideDistance(object.shape, u, v) >= 0) whole++;
        });
        expect(visible).toBe(object.area);
        expect(visible / whole).toBeCloseTo(object.visibility, 12);
        expect(visible / whole).toBeGreaterThanOrEqual(MIN_VISIBLE);
      });
    }
    expect(MIN_VISIBLE).toBe(0.55);
  });

  test('`centre` is where the visible pixels are', () => {
    for (const scene of scenes.slice(0, 30)) {
      scene.objects.forEach(({ centre }, index) => {
        const { x, y } = seenAt(scene, index);
        expect(centre[0] / scene.width).toBeCloseTo(x, 9);
        expect(centre[1] / scene.height).toBeCloseTo(y, 9);
      });
    }
  });

  test("objects' centres lie inside CLIP's centre crop; now and then a bar's at the border, within 2 % of its side", () => {
    const distances = scenes.flatMap(({ width, height, objects }) => {
      const side = Math.min(width, height);
      const [left, top] = [(width - side) / 2, (height - side) / 2];
      return objects.map(({ centre: [x, y] }) => Math.min(x - left, left + side - x, y - top, top + side - y) / side);
    });
    expect(Math.min(...distances)).toBeGreaterThan(-0.02);
    expect(distances.filter((distance) => distance < 0).length / distances.length).toBeLessThan(0.002);
  });
});

describe('visibleMask', () => {
  test('is the union of the objects asked for, and empty for none', () => {
    for (const scene of scenes.slice(0, 10)) {
      const everything = scene.objects.map((_, index) => index);
      const hashOf = (objects: readonly number[]): string => hash(visibleMask(scene, objects).data);
      expect(hashOf(everything)).toBe(hash(scene.instances.map((id) => (id > 0 ? 1 : 0))));
      expect(hashOf([1])).toBe(hash(scene.instances.map((id) => (id === 2 ? 1 : 0))));
      expect(hashOf([])).toBe(hash(new Uint8Array(scene.width * scene.height)));
    }
  });
});

describe('renderScene', () => {
  test('an object has its own colour: the mean of its inner pixels is nearest to the colour that names it', async () => {
    for (const scene of scenes.slice(0, 6)) {
      const image = await readImage(await encodeJpeg(renderScene(scene)));
      expect([image.width, image.height]).toEqual([scene.width, scene.height]);
      scene.objects.forEach((object, index) => {
        const sum = [0, 0, 0];
        let pixels = 0;
        scene.instances.forEach((id, pixel) => {
          if (id !== index + 1) return;
          for (let channel = 0; channel < 3; channel++) {
            sum[channel] = (sum[channel] as number) + (image.data[pixel * 3 + channel] as number);
          }
          pixels++;
        });
        const mean = sum.map((value) => value / pixels);
        const distance = (colour: keyof typeof COLOUR_RGB): number =>
          Math.hypot(...COLOUR_RGB[colour].map((value, channel) => value - (mean[channel] as number)));
        const [nearest] = [...COLOURS].sort((a, b) => distance(a) - distance(b));
        expect(nearest).toBe(object.colour);
      });
    }
  });
});
