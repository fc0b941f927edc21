import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { openAde20k, openCocoStuff, openMapillary } from '../../../src/data/sem-seg/ade20k.js';
import { openPacoLvis, openPascalPart } from '../../../src/data/sem-seg/annotated-dataset.js';
import {
  type AnnotatedRequest,
  type SemSegRequest,
  makeSemSegSample,
} from '../../../src/data/sem-seg/sem-seg-sample.js';
import type { TrainingSet } from '../../../src/data/facts.js';
import { UserError } from '../../../src/errors.js';
import { readIndexPng } from '../../../src/io/image/index-png.js';
import { Random } from '../../../src/random.js';
import type { BinaryMask } from '../../../src/types.js';
import { fixture } from '../../helpers/fixtures.js';
import { taught, type TaughtSample } from '../../helpers/taught-sample.js';

const dataDir = fixture('datasets', 'data');
const scratch = mkdtempSync(join(tmpdir(), 'gsva-sem-seg-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const labelMapSets = { ade20k: openAde20k, cocostuff: openCocoStuff, mapillary: openMapillary };
const annotatedSets = { paco: openPacoLvis, pascalPart: openPascalPart };

/** As a worker gets it. */
function make(request: SemSegRequest, seed: number, perSample = 3, absentClasses = 0): Promise<TaughtSample | null> {
  return taught(makeSemSegSample)(structuredClone(request), new Random(seed), { perSample, absentClasses });
}

async function made(request: SemSegRequest, seed: number, perSample = 3, absentClasses = 0): Promise<TaughtSample> {
  const sample = await make(request, seed, perSample, absentClasses);
  if (sample === null) throw new Error('no sample');
  return sample;
}

const tokensOf = (sample: TaughtSample): (string | undefined)[] =>
  [...(sample.turns[0]?.assistant ?? '').matchAll(/\[(SEG|REJ)\]/g)].map((match) => match[1]);
const area = (mask: BinaryMask | null | undefined): number => mask?.data.reduce((sum, value) => sum + value, 0) ?? 0;

describe('drawing from label maps', () => {
  test.each(Object.entries(labelMapSets))('%s: classes drawn are present, masks are the label map', async (_, open) => {
    const set = open(dataDir);
    for (let seed = 0; seed < 40; seed++) {
      const request = set.requestAt(seed % set.length);
      const { data, height, width } = readIndexPng(request.labels);
      const sample = await made(request, seed, 2);
      expect(sample.targets.length).toBeGreaterThan(0);
      expect(sample.targets.length).toBeLessThanOrEqual(2);
      expect(new Set(sample.targets.map(({ text }) => text)).size).toBe(sample.targets.length);
      for (const { text, mask } of sample.targets) {
        const value = request.classes.indexOf(text);
        expect(data.includes(value)).toBe(true);
        // Compared as bytes: element by element takes seconds.
        expect(
          Buffer.compare(
            mask?.data ?? data,
            data.map((found) => (found === value ? 1 : 0)),
          ),
        ).toBe(0);
        expect([mask?.height, mask?.width]).toEqual([height, width]);
      }
      const image = await sample.image();
      expect([image.height, image.width]).toEqual([height, width]);
    }
  });

  test('question and answer name the targets in order, with a [SEG] for each', async () => {
    const set = openMapillary(dataDir);
    const { turns, targets } = await made(set.requestAt(0), 5);
    const [first, second, third] = targets.map(({ text }) => text);
    expect(turns).toHaveLength(1);
    expect(turns[0]?.user).toMatch(/^<image>\n.*in this image/);
    expect(turns[0]?.user).toContain(`${first}, ${second}, ${third}`);
    expect(turns[0]?.assistant).toMatch(
      new RegExp(`${first}.*\\[SEG\\],.*${second}.*\\[SEG\\],.*${third}.*\\[SEG\\]\\.$`),
    );
  });

  test('fewer classes than may be drawn all take part, in the order of their numbers', async () => {
    const { targets } = await made(openAde20k(dataDir).requestAt(0), 1, 5);
    expect(targets.map(({ text }) => text)).toEqual(['waterfall', 'food', 'bicycle']);
  });

  test('chance is the seed alone, and every class has its turn', async () => {
    const request = openMapillary(dataDir).requestAt(0);
    const drawn = new Map<string, number>();
    for (let seed = 0; seed < 200; seed++) {
      const sample = await made(request, seed, 1);
      if (seed < 5) expect(await made(request, seed, 1)).toEqual({ ...sample, image: expect.any(Function) as unknown });
      const text = sample.targets[0]?.text ?? '';
      drawn.set(text, (drawn.get(text) ?? 0) + 1);
    }
    expect([...drawn.keys()].sort()).toEqual(['bird', 'curb cut', 'road', 'sky']);
    // 50 each are expected, with a standard deviation of 6.
    for (const count of drawn.values()) expect(Math.abs(count - 50)).toBeLessThan(25);
  });

  test('an image without a class gives null: another is to be drawn', async () => {
    const request = openCocoStuff(dataDir).requestAt(0);
    expect(await make({ ...request, classes: request.classes.map(() => null) }, 1)).toBeNull();
  });

  test('absent classes are asked for in other places among the present ones, as [REJ]', async () => {
    const set = openCocoStuff(dataDir);
    const request = set.requestAt(0);
    const places = new Set<number>();
    for (let seed = 0; seed < 60; seed++) {
      const sample = await made(request, seed, 3, 2);
      expect(sample.targets).toHaveLength(4);
      const absent = sample.targets.filter(({ mask }) => mask === null).map(({ text }) => text);
      expect(new Set(absent).size).toBe(2);
      for (const text of absent) {
        expect(request.classes).toContain(text);
        expect(['cake', 'hair brush', ...request.neverMarked]).not.toContain(text);
      }
      expect(tokensOf(sample)).toEqual(sample.targets.map(({ mask }) => (mask === null ? 'REJ' : 'SEG')));
      for (const [place, { mask }] of sample.targets.entries()) if (mask === null) places.add(place);
    }
    expect([...places].sort()).toEqual([0, 1, 2, 3]);
  });
});

describe('drawing from annotations', () => {
  test.each(Object.entries(annotatedSets))('%s: targets are annotations of the image', async (_, open) => {
    const set = open(dataDir);
    for (let seed = 0; seed < 40; seed++) {
      const request = set.requestAt(seed % set.length);
      const texts = request.annotations.flatMap(({ name }) =>
        typeof name === 'string' || name === null
          ? [name]
          : [`${name[0]} ${name[1]}`, `the ${name[1]} of the ${name[0]}`],
      );
      const sample = await made(request, seed, 2);
      expect(sample.targets).toHaveLength(2);
      for (const { text, mask } of sample.targets) {
        expect(texts).toContain(text);
        expect([mask?.height, mask?.width]).toEqual([request.height, request.width]);
        expect(area(mask)).toBeGreaterThan(0);
      }
      expect(sample.targets[0]?.mask).not.toEqual(sample.targets[1]?.mask);
    }
  });

  test('a part is put in words in two ways, about equally often', async () => {
    const request = openPascalPart(dataDir).requestAt(0);
    let ofThe = 0;
    for (let seed = 0; seed < 100; seed++) {
      const { targets } = await made(request, seed, 1);
      expect(targets[0]?.text).toMatch(/^(car wheel|dog head|the wheel of the car|the head of the dog)$/);
      if (targets[0]?.text.startsWith('the ')) ofThe++;
    }
    expect(Math.abs(ofThe - 50)).toBeLessThan(20);
  });

  test('an annotation without a pixel is passed over; an image with no other gives null', async () => {
    const request = openPascalPart(dataDir).requestAt(0);
    const outside = [[300, 300, 310, 300, 310, 310]];
    const annotations = request.annotations.map((item, i) => (i === 2 ? item : { ...item, segmentation: outside }));
    const { targets } = await made({ ...request, annotations }, 1, 2);
    expect(targets.map(({ mask }) => area(mask))).toEqual([324]);
    const none = request.annotations.map((item) => ({ ...item, segmentation: outside }));
    expect(await make({ ...request, annotations: none }, 1)).toBeNull();
  });

  test('absent are the categories without annotation, or those that the file says to be absent', async () => {
    const request = openPacoLvis(dataDir).requestAt(1);
    expect(request.absent).toEqual(['mug']);
    const sample = await made(request, 2, 5, 3);
    expect(tokensOf(sample).filter((token) => token === 'REJ')).toHaveLength(1);
    expect(sample.targets.filter(({ mask }) => mask === null)).toEqual([{ text: 'mug', mask: null }]);

    const dir = changedPaco((file) => {
      file.categories.push({ id: 9, name: 'trash_can' });
      for (const image of file.images) image.neg_category_ids = [9, 2];
    });
    expect(openPacoLvis(dir).requestAt(1).absent).toEqual(['trash_can']);
  });

  test('absent by names, not ids; never what is not marked everywhere; where one image says what it lacks, only that', () => {
    const present = openPacoLvis(dataDir).requestAt(1).annotations[0]?.name;
    const twin = Array.isArray(present) ? present.join(':') : String(present);
    const dir = changedPaco((file) => {
      file.categories.push({ id: 9, name: 'trash_can' }, { id: 10, name: twin }, { id: 11, name: 'lamp' });
      const second = file.images[1] as { neg_category_ids?: number[]; not_exhaustive_category_ids?: number[] };
      second.neg_category_ids = [9, 10, 11];
      second.not_exhaustive_category_ids = [9];
    });
    const set = openPacoLvis(dir);
    const absent = set.images.map((_, index) => set.requestAt(index).absent);
    expect(absent[1]).toEqual(['lamp']);
    expect(absent.filter((_, index) => index !== 1).flat()).toEqual([]);
  });

  test('two categories of one id are refused with both places', () => {
    const dir = changedPaco((file) => {
      file.categories.push({ ...(file.categories[0] as object), name: 'other' } as never);
    });
    expect(() => openPacoLvis(dir)).toThrow(/the id \d+ is used twice, by categories\[0\] and categories\[\d+\]/);
  });
});

describe('bad samples', () => {
  const ade = openAde20k(dataDir).requestAt(0);
  const part = openPascalPart(dataDir).requestAt(0);
  const withFirst = (change: Partial<AnnotatedRequest['annotations'][number]>): AnnotatedRequest => ({
    ...part,
    annotations: part.annotations.map((item, i) => (i === 0 ? { ...item, ...change } : item)),
  });
  const wrong: [string, SemSegRequest, RegExp][] = [
    ['a missing image', { ...ade, image: join(scratch, 'none.jpg') }, /none\.jpg .*no such file/],
    ['a missing label map', { ...ade, labels: join(scratch, 'none.png') }, /none\.png as a label map/],
    ['a label map that is a picture', { ...ade, labels: ade.image }, /ADE_train_00000000\.jpg .*not a PNG/],
    [
      'a number without a class',
      { ...ade, classes: ade.classes.slice(0, 121) },
      /annotations\/training\/ADE_train_00000000\.png: \d+ of its pixels have the class number 121; expected 0 to 120, or 255/,
    ],
    [
      'a label map of another size',
      { ...ade, image: openAde20k(dataDir).requestAt(1).image },
      /ADE_train_00000001\.jpg: it has 90 × 120 pixels, but .*00000000\.png is for 120 × 90/,
    ],
    [
      'annotations of another size',
      { ...part, image: ade.image.replace('00.jpg', '01.jpg') },
      /but .*train\.json is for/,
    ],
    ['an unknown category', withFirst({ name: null }), /annotation 1 of .*train\.json .*"categories" does not have 2/],
    ['an empty polygon', withFirst({ segmentation: [] }), /annotation 1 of .*2008_000000\.jpg.*no polygon of three/],
    ['a polygon of two points', withFirst({ segmentation: [[1, 1, 2, 2]] }), /annotation 1 of .*no polygon of three/],
    [
      'a mask of another size',
      withFirst({ segmentation: { size: [1, 1], counts: [1] } }),
      /annotation 1 of .*size \[1,1\]/,
    ],
  ];
  test.each(wrong)('%s is named', async (_, request, message) => {
    await expect(make(request, 1, 9)).rejects.toThrow(UserError);
    await expect(make(request, 1, 9)).rejects.toThrow(message);
  });
});

describe('reading the sets', () => {
  const opened: [string, (dir: string) => TrainingSet, RegExp][] = [
    ['ade20k', openAde20k, /images\/training.*ADEChallengeData2016\.zip/],
    ['cocostuff', openCocoStuff, /cocostuff\/train2017.*stuffthingmaps_trainval2017\.zip/],
    ['mapillary', openMapillary, /config_v2\.0\.json.*<data>\/mapillary/],
    ['paco', openPacoLvis, /paco_lvis_v1_train\.json.*paco_lvis_v1\.zip/],
    ['pascalPart', openPascalPart, /pascal_part\/train\.json.*VOCtrainval/],
  ];
  test.each(opened)('%s: missing files are named, with where to get them', (_, open, message) => {
    expect(() => open(scratch)).toThrow(UserError);
    expect(() => open(scratch)).toThrow(message);
  });

  test('hidden files, which some systems leave beside the pictures, are passed over; a folder needs others', () => {
    const dir = mkdtempSync(join(scratch, 'data-'));
    const images = join(dir, 'ade20k', 'images', 'training');
    mkdirSync(images, { recursive: true });
    writeFileSync(join(images, '._a.jpg'), '');
    expect(() => openAde20k(dir)).toThrow(/images\/training has no \*\.jpg files/);
    writeFileSync(join(images, 'a.jpg'), '');
    expect(openAde20k(dir).length).toBe(1);
  });

  test('images without an annotation are left out', () => {
    const dir = changedPaco((file) => {
      file.annotations = file.annotations.filter((annotation) => annotation.image_id !== 101);
      file.annotations.push({ id: 99, image_id: 7, category_id: 1, segmentation: [] });
    });
    const set = openPacoLvis(dir);
    expect(set.images.map(({ id }) => id)).toEqual([100, 102]);
    expect(set.length).toBe(2);
  });

  const wrong: [string, (file: Instances) => void, RegExp][] = [
    [
      'an unknown form of a name',
      (file) => void (file.categories[1] = { id: 2, name: 'a:b:c' }),
      /categories\[1\]\.name .*an object, or "object:part"/,
    ],
    [
      'a token in a name',
      (file) => void (file.categories[0] = { id: 1, name: 'a [SEG]' }),
      /categories\[0\]\.name .*a name that is not empty/,
    ],
    [
      'a path out of the folder',
      (file) => void ((file.images[2] as Instances['images'][number]).file_name = '../a.jpg'),
      /images\[2\]\.file_name/,
    ],
    [
      'an image of no size',
      (file) => void ((file.images[2] as Instances['images'][number]).height = 0),
      /images\[2\] .*positive height/,
    ],
    [
      'an annotation without category',
      (file) => void Reflect.deleteProperty(file.annotations[3] ?? {}, 'category_id'),
      /annotations\[3\] .*key "category_id"/,
    ],
    ['nothing annotated', (file) => void (file.annotations = []), /has no image with an annotation/],
  ];
  test.each(wrong)('says what is wrong with %s', (_, change, message) => {
    const dir = changedPaco(change);
    expect(() => openPacoLvis(dir)).toThrow(UserError);
    expect(() => openPacoLvis(dir)).toThrow(message);
  });

  test("PASCAL-Part's names are parts", () => {
    const dir = mkdtempSync(join(scratch, 'data-'));
    cpSync(join(dataDir, 'vlpart'), join(dir, 'vlpart'), { recursive: true });
    const file = join(dir, 'vlpart', 'pascal_part', 'train.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"dog:head"', '"dog"'));
    expect(() => openPascalPart(dir)).toThrow(/categories\[0\]\.name .*"dog"; expected "object:part"/);
  });
});

interface Instances {
  images: { id: number; file_name: string; height: number; neg_category_ids?: number[] }[];
  annotations: { id: number; image_id: number; category_id?: number; segmentation: unknown }[];
  categories: { id: number; name: string }[];
}

/** A copy of the miniature PACO-LVIS with its annotations changed. */
function changedPaco(change: (file: Instances) => void): string {
  const dir = mkdtempSync(join(scratch, 'data-'));
  const folder = ['vlpart', 'paco', 'annotations'];
  cpSync(join(dataDir, ...folder), join(dir, ...folder), { recursive: true });
  const path = join(dir, ...folder, 'paco_lvis_v1_train.json');
  const file = JSON.parse(readFileSync(path, 'utf8')) as Instances;
  change(file);
  writeFileSync(path, JSON.stringify(file));
  return dir;
}
