/** The written dataset: reproducible to the byte, read back by GRefCoco, complete or not there at all. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { annotationToRle } from '../../src/data/masks/coco-mask-annotation.js';
import { encodeMask, rleArea, rleBox, rleIou } from '../../src/data/masks/coco-mask.js';
import { GRefCoco } from '../../src/data/refer/refcoco.js';
import { sceneExpressions } from '../../src/synthetic/expressions.js';
import { POLYGON_IOU, WRITTEN_SPLITS, recordsOf } from '../../src/synthetic/records.js';
import { renderScene } from '../../src/synthetic/render.js';
import { sceneRandom, synthScene, visibleMask } from '../../src/synthetic/scene.js';
import { type SynthSummary, writeSynthDataset } from '../../src/synthetic/writer.js';
import { UserError } from '../../src/errors.js';
import { readImage } from '../../src/io/image/image-file.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-synth-'));
const SIZES = { trainImages: 4, valImages: 3, testAImages: 1, testBImages: 1 };
const COUNTS = { train: 4, val: 3, testA: 1, testB: 1 };
const small = { seed: 1, trainImages: 1, valImages: 0, testAImages: 0, testBImages: 0, expressionsPerImage: 2 };
const dir = join(scratch, 'set');
let summary: SynthSummary;

beforeAll(async () => {
  summary = await writeSynthDataset(dir, { seed: 7, ...SIZES });
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

/** Path → hash of every file below a folder. */
function hashes(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(folder.length + 1), createHash('sha256').update(readFileSync(path)).digest('hex')]),
  );
}

function readList<T>(name: string, key?: string): T[] {
  const value: unknown = JSON.parse(readFileSync(join(dir, 'refer_seg', 'grefcoco', name), 'utf8'));
  return (key === undefined ? value : (value as Record<string, unknown>)[key]) as T[];
}

describe('writeSynthDataset', () => {
  test('the same options give the same bytes; another seed gives other pictures and expressions', async () => {
    await writeSynthDataset(join(scratch, 'again'), { seed: 7, ...SIZES });
    expect(hashes(join(scratch, 'again'))).toEqual(hashes(dir));
    await writeSynthDataset(join(scratch, 'other'), { seed: 8, ...SIZES });
    const first = hashes(dir);
    for (const [path, hash] of hashes(join(scratch, 'other'))) expect(hash).not.toBe(first.get(path));
  });

  test('an image is the same whatever the sizes of the splits, and no two images are the same', async () => {
    await writeSynthDataset(join(scratch, 'larger'), { ...small, seed: 7, valImages: 2 });
    const images = (of: string): [string, string][] => [...hashes(of)].filter(([path]) => path.endsWith('.jpg'));
    const known = hashes(dir);
    for (const [path, hash] of images(join(scratch, 'larger'))) expect(known.get(path)).toBe(hash);
    expect(new Set(images(dir).map(([, hash]) => hash)).size).toBe(9);
  });

  test('is gRefCOCO: every file where it belongs, lists of ids, -1 and no_target for what is absent', () => {
    const images = [...hashes(dir).keys()].filter((path) => path.endsWith('.jpg'));
    expect([...hashes(dir).keys()].filter((path) => !path.endsWith('.jpg'))).toEqual([
      'refer_seg/grefcoco/grefs(unc).json',
      'refer_seg/grefcoco/instances.json',
      'synth.json',
    ]);
    expect(images).toHaveLength(9);
    for (const path of images) {
      expect(path).toMatch(/^refer_seg\/images\/mscoco\/images\/train2014\/COCO_train2014_\d{12}\.jpg$/);
    }
    interface Reference {
      ref_id: number;
      ann_id: number[];
      category_id: number[];
      no_target: boolean;
      sentences: { sent: string; tokens: string[] }[];
    }
    const references = readList<Reference>('grefs(unc).json');
    const annotations = new Map(
      readList<{ id: number; category_id: number }>('instances.json', 'annotations').map((entry) => [entry.id, entry]),
    );
    const categories = readList<{ name: string }>('instances.json', 'categories').map(({ name }) => name);
    expect(categories).toEqual(['circle', 'square', 'triangle', 'bar']);
    expect(new Set(references.map(({ ref_id }) => ref_id)).size).toBe(references.length);
    for (const { ann_id, category_id, no_target, sentences } of references) {
      expect(no_target).toBe(ann_id[0] === -1);
      if (no_target) expect([ann_id, category_id]).toEqual([[-1], [-1]]);
      else expect(ann_id.map((id) => annotations.get(id)?.category_id)).toEqual(category_id);
      for (const { sent, tokens } of sentences) expect(tokens.join(' ')).toBe(sent);
    }
  });

  test('GRefCoco reads it: expressions, targets and masks of every split are those of the scenes', async () => {
    for (const split of WRITTEN_SPLITS) {
      const dataset = GRefCoco.open(dir, split);
      expect(dataset.images).toHaveLength(COUNTS[split]);
      expect(dataset.skippedExpressions).toBe(0);
      for (const [index, image] of dataset.images.entries()) {
        const scene = synthScene(7, split, index);
        const expressions = sceneExpressions(scene, sceneRandom(7, split, index).fork(1), 9);
        const targets = dataset.targets(image);
        expect(targets.map(({ expression }) => expression)).toEqual(expressions.map(({ text }) => text));
        expressions.forEach(({ objects }, i) => {
          const target = targets[i];
          if (target === undefined) throw new Error('a target is missing');
          expect(target.isEmpty).toBe(objects.length === 0);
          const expected = encodeMask(visibleMask(scene, objects));
          if (objects.length === 0) expect(target.mask.data.every((value) => value === 0)).toBe(true);
          else expect(rleIou(encodeMask(target.mask), expected)).toBeGreaterThanOrEqual(POLYGON_IOU);
        });
        const decoded = await readImage(image.path);
        const rendered = renderScene(scene);
        expect([decoded.height, decoded.width]).toEqual([image.height, image.width]);
        const apart = decoded.data.reduce((sum, value, at) => sum + Math.abs(value - (rendered.data[at] as number)), 0);
        expect(apart / decoded.data.length).toBeLessThan(6);
      }
    }
  });

  test('synth.json has the parameters and counts', () => {
    expect(JSON.parse(readFileSync(join(dir, 'synth.json'), 'utf8'))).toEqual(summary);
    expect(summary).toMatchObject({ seed: 7, expressionsPerImage: 9, total: { images: 9, expressions: 81 } });
    expect(summary.splits.val).toMatchObject({ images: 3, expressions: 27 });
    const { total } = summary;
    expect(Object.values(total.kinds).reduce((sum, count) => sum + count, 0)).toBe(total.expressions);
    expect(total).toMatchObject(countedAnew());
  });

  test('tells the progress from 0 to all', async () => {
    const seen: [number, number][] = [];
    await writeSynthDataset(join(scratch, 'progress'), { ...small, trainImages: 9 }, (...now) => seen.push(now));
    expect(seen).toEqual([
      [0, 9],
      [8, 9],
      [9, 9],
    ]);
  });
});

describe('segmentations', () => {
  const records = Array.from({ length: 80 }, (_, index) => {
    const scene = synthScene(7, 'train', index);
    return { scene, ...recordsOf(scene, [], 'train', index) };
  });

  test('polygons where the whole outline shows, compressed encodings where not; both occur', () => {
    let [polygons, encodings] = [0, 0];
    for (const { scene, annotations } of records) {
      annotations.forEach(({ segmentation, area, bbox }, index) => {
        const rle = annotationToRle(segmentation, scene.height, scene.width);
        if (rle === null) throw new Error('no mask');
        const visible = encodeMask(visibleMask(scene, [index]));
        if (Array.isArray(segmentation)) {
          polygons++;
          expect(rleIou(rle, visible)).toBeGreaterThanOrEqual(POLYGON_IOU);
        } else {
          encodings++;
          expect(typeof segmentation.counts).toBe('string');
          expect(rle).toEqual(visible);
        }
        expect(area).toBe(rleArea(rle));
        expect(bbox).toEqual(rleBox(rle));
      });
    }
    expect(polygons).toBeGreaterThan(100);
    expect(encodings).toBeGreaterThan(10);
  });
});

describe('what is there already', () => {
  test('a folder in use is refused, with the way out, and stays as it was', async () => {
    const before = hashes(dir);
    const again = writeSynthDataset(dir, small);
    await expect(again).rejects.toThrow(UserError);
    await expect(again).rejects.toThrow(/not empty.*--overwrite/);
    expect(hashes(dir)).toEqual(before);
  });

  test('overwrite replaces an earlier dataset entirely', async () => {
    const target = join(scratch, 'replaced');
    await writeSynthDataset(target, { ...small, trainImages: 3 });
    await writeSynthDataset(target, { ...small, seed: 2, overwrite: true });
    await writeSynthDataset(join(scratch, 'fresh'), { ...small, seed: 2 });
    expect(hashes(target)).toEqual(hashes(join(scratch, 'fresh')));
  });

  test('overwrite does not touch a folder that is no such dataset, nor a file', async () => {
    const target = join(scratch, 'photos');
    mkdirSync(target);
    writeFileSync(join(target, 'holiday.jpg'), 'precious');
    await expect(writeSynthDataset(target, { ...small, overwrite: true })).rejects.toThrow(/no synth\.json/);
    expect(readFileSync(join(target, 'holiday.jpg'), 'utf8')).toBe('precious');
    const file = join(target, 'holiday.jpg');
    await expect(writeSynthDataset(file, { ...small, overwrite: true })).rejects.toThrow(/is a file/);
  });

  test('an empty folder is filled', async () => {
    const target = join(scratch, 'empty');
    mkdirSync(target);
    await writeSynthDataset(target, small);
    expect(GRefCoco.open(target, 'train').images).toHaveLength(1);
  });

  test('interrupted in the middle: nothing is left, and an earlier dataset is as it was', async () => {
    const parent = join(scratch, 'interrupted');
    const stop = new Error('stopped by the user');
    const stopping = (done: number): void => {
      if (done > 0) throw stop;
    };
    await expect(writeSynthDataset(join(parent, 'a'), { ...small, trainImages: 20 }, stopping)).rejects.toBe(stop);
    expect(readdirSync(parent)).toEqual([]);
    await writeSynthDataset(join(parent, 'a'), small);
    const before = hashes(parent);
    const replacing = { ...small, seed: 2, trainImages: 20, overwrite: true };
    await expect(writeSynthDataset(join(parent, 'a'), replacing, stopping)).rejects.toBe(stop);
    expect(hashes(parent)).toEqual(before);
  });
});

describe('wrong numbers', () => {
  test.each([
    ['no image', { trainImages: 0 }, 'nothing to write'],
    ['a negative count', { valImages: -1 }, 'the number of val images is -1'],
    ['a fraction', { trainImages: 1.5 }, 'the number of train images is 1.5'],
    ['a seed that would be cut', { seed: 2 ** 32 }, 'the seed is 4294967296'],
    ['no expressions', { expressionsPerImage: 0 }, 'expressions per image is 0'],
    ['more than can be read back', { trainImages: 100_000, expressionsPerImage: 50 }, 'all expressions is 5000000'],
  ])('%s: one clear error, and nothing is written', async (_, change, message) => {
    const target = join(scratch, 'wrong', 'set');
    const writing = writeSynthDataset(target, { ...small, ...change });
    await expect(writing).rejects.toThrow(UserError);
    await expect(writing).rejects.toThrow(message);
    expect(readdirSync(scratch)).not.toContain('wrong');
  });
});

/** Counted anew from the file. */
function countedAnew(): { noTarget: number; multiTarget: number } {
  const references = readList<{ ann_id: number[] }>('grefs(unc).json');
  return {
    noTarget: references.filter(({ ann_id }) => ann_id.includes(-1)).length,
    multiTarget: references.filter(({ ann_id }) => ann_id.length > 1).length,
  };
}
