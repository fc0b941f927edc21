/** COCO and LabelMe as own data: the same masks as the annotations, what is left out, what is refused, val and absent. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { importCoco as importCocoFile } from '../../../src/data/own/coco-import.js';
import type { Imported } from '../../../src/data/own/image-drafts.js';
import { annotationToRle } from '../../../src/data/masks/coco-mask-annotation.js';
import { decodeMask, encodeMask, mergeRles, rleArea } from '../../../src/data/masks/coco-mask.js';
import {
  type LabelmeImport,
  type LabelmeOptions,
  importLabelme as importLabelmeFolder,
} from '../../../src/data/own/labelme-import.js';
import { checkOwnData, openOwnData } from '../../../src/data/own/own-data.js';
import {
  expressionOf,
  type ImportedImage,
  refuseExisting,
  writeOwnData,
} from '../../../src/data/own/own-data-writer.js';
import { writeSynthDataset } from '../../../src/synthetic/writer.js';
import { UserError } from '../../../src/errors.js';
import { encodePng } from '../../../src/io/image/image-file.js';
import { Random } from '../../../src/random.js';
import { mutationsOf } from '../../helpers/json-mutations.js';
import { randomImage } from '../../inference/tiny-predictor.js';

const [HEIGHT, WIDTH] = [20, 30];
const scratch = mkdtempSync(join(tmpdir(), 'gsva-import-'));
const at = (...parts: string[]): string => join(scratch, ...parts);
const out = at('data.jsonl');
const PLAIN = { val: 0, absent: 0, seed: 1 };
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

beforeAll(async () => {
  mkdirSync(at('images', 'sub'), { recursive: true });
  for (const name of ['a.png', 'b.png', 'sub/c.png']) {
    writeFileSync(at('images', name), await encodePng(randomImage(HEIGHT, WIDTH, 1)));
  }
});

const importCoco = (file: string, folder: string): Promise<Imported> =>
  importCocoFile(file, folder, { keepIncomplete: false });
const importLabelme = (folder: string, options: Partial<LabelmeOptions>): Promise<LabelmeImport> => {
  const standard = { perShape: false, fill: 'coco', keepIncomplete: false, images: null } as const;
  return importLabelmeFolder(folder, { ...standard, embeddedInto: at('embedded'), ...options });
};
/** What was left out, by kind. */
const countsOf = ({ leftOut }: Imported): Record<string, number> =>
  Object.fromEntries(leftOut.kinds.map((kind) => [kind, leftOut.count(kind)]));
const listed = ({ leftOut }: Imported): string => leftOut.entries.map(({ what }) => what).join('\n');

function writeJson(name: string, value: unknown): string {
  mkdirSync(join(at(name), '..'), { recursive: true });
  writeFileSync(at(name), JSON.stringify(value));
  return at(name);
}

/** What it throws, if anything, is a UserError of readable length. */
async function expectNoSurprise(imported: Promise<unknown>): Promise<void> {
  try {
    await imported;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    expect(error.message.length).toBeLessThan(2000);
  }
}

/** Expression → mask area, image by image, as training reads what was written. */
async function areas(images: readonly ImportedImage[]): Promise<Record<string, number>[]> {
  writeOwnData(out, images, PLAIN);
  expect((await checkOwnData(out, 10)).problems).toMatchObject({ total: 0 });
  const data = await openOwnData(out, 'train');
  return data.images.map((image) =>
    Object.fromEntries(data.targets(image).map(({ expression, mask }) => [expression, rleArea(encodeMask(mask))])),
  );
}

describe('importCoco', () => {
  const image = (id: number, name: string) => ({ id, file_name: name, height: HEIGHT, width: WIDTH });
  const annotation = (id: number, imageId: number, category: number, segmentation: unknown) => {
    return { id, image_id: imageId, category_id: category, segmentation, iscrowd: 0 };
  };
  const SQUARE = [2, 2, 8, 2, 8, 8, 2, 8];
  const BAR = [10, 1, 14, 1, 14, 11, 10, 11];
  const CROWD = { size: [HEIGHT, WIDTH], counts: [0, HEIGHT, HEIGHT * (WIDTH - 1)] };
  const categories = [
    { id: 1, name: 'cat' },
    { id: 7, name: 'traffic_light' },
  ];
  const coco = (changes: Record<string, unknown> = {}): string =>
    writeJson('instances.json', {
      info: {},
      categories,
      images: [image(1, 'a.png'), image(2, 'sub/c.png')],
      annotations: [annotation(1, 1, 1, [SQUARE])],
      ...changes,
    });

  test('all instances of a category are one mask; polygons stay, encodings are joined to them', async () => {
    const file = coco({
      annotations: [
        annotation(1, 1, 1, [SQUARE]),
        annotation(2, 1, 7, [BAR]),
        annotation(3, 1, 1, [BAR, [1, 1, 2, 2]]),
        annotation(4, 1, 1, CROWD),
        annotation(5, 2, 7, CROWD),
      ],
    });
    const { images } = await importCoco(file, at('images'));
    expect(await areas(images)).toEqual([{ cat: 36 + 40 + 20, 'traffic light': 40 }, { 'traffic light': 20 }]);
    const [first] = readFileSync(out, 'utf8').split('\n');
    expect(JSON.parse(first ?? '')).toEqual({
      image: 'images/a.png',
      width: WIDTH,
      height: HEIGHT,
      split: 'train',
      expressions: [
        { text: 'cat', mask: [{ polygons: [SQUARE, BAR] }, { rle: { size: CROWD.size, counts: expect.any(String) } }] },
        { text: 'traffic light', mask: { polygons: [BAR] } },
      ],
    });
  });

  test('what cannot be used is left out and counted: missing files, empty masks, images without any', async () => {
    const file = coco({
      images: [image(1, 'a.png'), image(2, 'none.png'), image(3, 'b.png')],
      annotations: [
        annotation(1, 1, 1, [SQUARE]),
        annotation(2, 2, 1, [SQUARE]),
        annotation(3, 3, 1, [[1, 1, 2, 2]]),
        annotation(4, 3, 1, [[100, 100, 110, 100, 110, 110]]),
        annotation(5, 3, 1, null),
        annotation(6, 3, 1, []),
      ],
    });
    const imported = await importCoco(file, at('images'));
    expect(imported.images.map(({ path }) => path)).toEqual([at('images', 'a.png')]);
    expect(countsOf(imported)).toEqual({ missingImages: 1, emptyMasks: 1, boxes: 3, withoutMasks: 1 });
    expect(listed(imported)).toMatch(/images\[1\]: "none\.png": there is no such file, and no none\.png in .*images/);
  });

  test.each<[string, Record<string, unknown>, string, RegExp]>([
    [
      'an annotation of no image',
      { annotations: [annotation(1, 9, 1, [])] },
      'unknownImages',
      /, annotations\[0\]: "image_id" is 9/,
    ],
    [
      'an annotation of no category',
      { annotations: [annotation(1, 1, 9, [])] },
      'unknownCategories',
      /, annotations\[0\]: "category_id" is 9/,
    ],
    [
      'a category of null',
      { annotations: [{ ...annotation(1, 1, 1, [SQUARE]), category_id: null }] },
      'badEntries',
      /"category_id" is missing/,
    ],
    [
      'a malformed mask',
      { annotations: [annotation(5, 1, 1, 'x')] },
      'badEntries',
      /, annotations\[0\]: "segmentation" is "x", expected a mask \(/,
    ],
    [
      'one list of numbers',
      { annotations: [annotation(5, 1, 1, SQUARE)] },
      'badEntries',
      /annotations\[0\]: .*put it into a list/,
    ],
    [
      'points as pairs',
      {
        annotations: [
          annotation(5, 1, 1, [
            [
              [2, 2],
              [8, 2],
              [8, 8],
              [2, 8],
            ],
          ]),
        ],
      },
      'badEntries',
      /points as pairs/,
    ],
    [
      'numbers as texts',
      { annotations: [annotation(5, 1, 1, [SQUARE.map(String)])] },
      'badEntries',
      /a coordinate that is no number, "2"/,
    ],
    [
      'an odd number of coordinates',
      { annotations: [annotation(5, 1, 1, [SQUARE.slice(1)])] },
      'badEntries',
      /7 coordinates, an odd number/,
    ],
    [
      'a mask of another size',
      { annotations: [annotation(5, 1, 1, { size: [1, 1], counts: [1] })] },
      'badEntries',
      /\[20,30\]/,
    ],
    [
      'panoptic annotations',
      { annotations: [{ image_id: 1, segments_info: [{ id: 1, category_id: 1 }] }] },
      'badEntries',
      /panoptic file; use the instances file/,
    ],
    [
      'a category without a name',
      { categories: [...categories, { id: 2, name: ' ' }] },
      'badEntries',
      /, categories\[2\]: "name" is " ", expected a name \(.*is empty/,
    ],
    [
      'an image of a wrong size',
      { images: [image(1, 'a.png'), image(2, 'sub/c.png'), { ...image(4, 'b.png'), width: 31 }] },
      'otherSizes',
      /images\[2\]: .*b\.png: it has 30 × 20 pixels, the annotations are for 31 × 20/,
    ],
  ])('leaves out %s, naming file and entry, and goes on', async (_, changes, kind, message) => {
    const rest = annotation(99, 2, 7, [BAR]);
    const file = coco({ ...changes, annotations: [...((changes.annotations ?? []) as unknown[]), rest] });
    const imported = await importCoco(file, at('images'));
    expect(countsOf(imported)).toMatchObject({ [kind]: 1 });
    expect(listed(imported)).toMatch(message);
    expect(listed(imported)).toContain(file);
    expect(imported.images.at(-1)?.expressions.map(({ text }) => text)).toEqual(['traffic light']);
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['no categories', { categories: undefined }, /the list "categories" is missing/],
    ['images that are no list', { images: {} }, /as COCO's instances: .*list "images"/],
    ['other images', { images: [image(1, 'x.png')] }, /None of the 1 images .* is there; .*x\.png/],
    [
      'two images of one id',
      { images: [image(1, 'a.png'), image(2, 'b.png'), image(1, 'sub/c.png')] },
      /the id 1 is used twice, by images\[0\] and images\[2\]: "a\.png", "sub\/c\.png"/,
    ],
    [
      'two categories of one id',
      { categories: [...categories, { id: 1, name: 'car' }] },
      /the id 1 is used twice, by categories\[0\] and categories\[2\]: "cat", "car"/,
    ],
  ])('refuses %s, naming file and entry', async (_, changes, message) => {
    const imported = importCoco(coco(changes), at('images'));
    await expect(imported).rejects.toThrow(UserError);
    await expect(imported).rejects.toThrow(message);
    await expect(imported).rejects.toThrow(/instances\.json/);
  });

  test('fuzz: a value in the place of another is imported or refused with a UserError', async () => {
    const whole: unknown = JSON.parse(
      readFileSync(coco({ annotations: [annotation(1, 1, 1, [SQUARE]), annotation(2, 2, 7, CROWD)] }), 'utf8'),
    );
    await fc.assert(
      fc.asyncProperty(mutationsOf(whole), async (json) => {
        await expectNoSurprise(importCoco(writeJson('instances.json', json), at('images')));
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  test('round trip: the masks of a synthetic dataset are those of its annotations, category by category', async () => {
    const set = at('synth');
    await writeSynthDataset(set, { seed: 3, trainImages: 12, valImages: 0, testAImages: 0, testBImages: 0 });
    const file = join(set, 'refer_seg', 'grefcoco', 'instances.json');
    const { images } = await importCoco(file, join(set, 'refer_seg/images/mscoco/images/train2014'));
    writeOwnData(out, images, PLAIN);
    const data = await openOwnData(out, 'train');
    const json = JSON.parse(readFileSync(file, 'utf8')) as {
      images: { id: number; file_name: string; height: number; width: number }[];
      categories: { id: number; name: string }[];
      annotations: { image_id: number; category_id: number; segmentation: unknown }[];
    };
    expect(data.images).toHaveLength(12);
    for (const entry of data.images) {
      const own = json.images.find(({ file_name: name }) => entry.path.endsWith(name));
      for (const { expression, mask } of data.targets(entry)) {
        const category = json.categories.find(({ name }) => name === expression);
        const rles = json.annotations
          .filter((each) => each.image_id === own?.id && each.category_id === category?.id)
          .flatMap(({ segmentation }) => annotationToRle(segmentation, entry.height, entry.width) ?? []);
        expect(mask).toEqual(decodeMask(mergeRles(rles)));
      }
    }
  });
});

describe('importLabelme', () => {
  const shape = (label: string, type: string, points: readonly (readonly number[])[], more = {}) => {
    return { label, points, group_id: null, shape_type: type, flags: {}, ...more };
  };
  const labelme = (name: string, shapes: unknown, more: Record<string, unknown> = {}): string =>
    writeJson(name, { version: '5.4.1', shapes, imagePath: '../images/a.png', imageData: null, ...more });
  const leftSquare = shape('red_square', 'polygon', [[2, 2], [8, 2], [8, 8], [2, 8]]); // prettier-ignore
  const corners = shape('Red square', 'rectangle', [[20, 8], [12, 2]]); // prettier-ignore

  test('polygons, rectangles and circles; the same label is one expression, or one for each shape and group', async () => {
    rmSync(at('labels'), { recursive: true, force: true });
    labelme('labels/1.json', [
      leftSquare,
      corners,
      shape('ball', 'circle', [[22, 14], [22, 10]]), // prettier-ignore
      shape('pair', 'rectangle', [[0, 0], [3, 0], [3, 3], [0, 3]], { group_id: 4 }), // prettier-ignore
      shape('pair', 'rectangle', [[5, 10], [8, 13]], { group_id: 4 }), // prettier-ignore
      shape('somewhere', 'point', [[1, 1]]),
    ]);
    labelme('labels/deeper/2.json', [leftSquare], {
      imagePath: '..\\..\\images\\b.png',
      imageHeight: 20,
      imageWidth: 30,
    });
    labelme('labels/3.json', [shape('far', 'rectangle', [[90, 90], [99, 99]])]); // prettier-ignore
    writeJson('labels/.hidden.json', 'not one of them');
    const joined = await importLabelme(at('labels'), { perShape: false });
    expect(countsOf(joined)).toEqual({ shapes: 1, emptyMasks: 1 });
    const [first, second] = await areas(joined.images);
    expect(first).toEqual({ 'red square': 36 + 48, ball: expect.any(Number), pair: 18 });
    expect(Math.abs((first?.ball ?? 0) - Math.PI * 16)).toBeLessThan(4);
    expect(second).toEqual({ 'red square': 36 });

    const perShape = await importLabelme(at('labels'), { perShape: true });
    expect(perShape.images[0]?.expressions.map(({ text }) => text)).toEqual([
      'red square',
      'Red square',
      'ball',
      'pair',
    ]);
    expect(existsSync(at('labels', 'data.jsonl'))).toBe(false);
  });

  test.each<[string, unknown, Record<string, unknown>, RegExp]>([
    ['no list of shapes', undefined, {}, /"shapes" is missing/],
    ['two points of a polygon', [shape('a', 'polygon', [[1, 1], [2, 2]])], {}, /"shapes\[0\]": "a"/], // prettier-ignore
    ['a point of one number', [shape('a', 'polygon', [[1], [2, 2], [3, 3]])], {}, /points\[0\]" .*\[x, y\]/],
    ['three corners', [shape('a', 'rectangle', [[1, 1], [2, 2], [3, 3]])], {}, /two corners, or four/], // prettier-ignore
    ['a circle of one point', [shape('a', 'circle', [[1, 1]])], {}, /centre and a point/],
    ['an endless circle', [shape('a', 'circle', [[1, 1], [1e9, 1]])], {}, /"shapes\[0\].points" .*within ±100000/], // prettier-ignore
    ['an empty label', [shape(' _ ', 'circle', [[1, 1], [2, 2]])], {}, /"shapes\[0\].label": .*is empty/], // prettier-ignore
    ['a missing image', [leftSquare], { imagePath: 'none.png' }, /"imagePath" is "none\.png": there is no such file/],
    [
      'another image',
      [leftSquare],
      { imageWidth: 31, imageHeight: 20 },
      /has 30 × 20 pixels, the annotations are for 31 × 20/,
    ],
    ['three corners of a rotated rectangle', [shape('a', 'rotation', [[1, 1], [5, 1], [5, 5]])], {}, /four corners/], // prettier-ignore
    ['an unknown type', [shape('a', 'spiral', [[1, 1], [5, 1], [5, 5]])], {}, /"a" is of type "spiral"/], // prettier-ignore
    ['a mask without a PNG', [shape('a', 'mask', [[1, 1], [5, 5]])], {}, /"mask" is missing|"mask" the key/], // prettier-ignore
    ['a mask that is no PNG', [shape('a', 'mask', [[1, 1], [5, 5]], { mask: 'AAAA' })], {}, /"shapes\[0\].mask" .*not a PNG/], // prettier-ignore
  ])('leaves out %s, naming file and shape, and goes on', async (_, shapes, more, message) => {
    rmSync(at('wrong'), { recursive: true, force: true });
    labelme('wrong/x.json', shapes, more);
    labelme('wrong/y.json', [leftSquare], { imagePath: '../images/b.png' });
    const imported = await importLabelme(at('wrong'), {});
    expect(imported.images.map(({ path }) => path)).toEqual([at('images', 'b.png')]);
    expect(imported.leftOut.faults).toBeGreaterThan(0);
    expect(listed(imported)).toMatch(message);
    expect(listed(imported)).toContain(at('wrong', 'x.json'));
  });

  test('fuzz: a value in the place of another is imported or refused with a UserError', async () => {
    rmSync(at('wrong'), { recursive: true, force: true });
    const shapes = [leftSquare, corners, shape('ball', 'circle', [[22, 14], [22, 10]])]; // prettier-ignore
    const whole: unknown = JSON.parse(readFileSync(labelme('wrong/x.json', shapes, { imageWidth: 30 }), 'utf8'));
    await fc.assert(
      fc.asyncProperty(mutationsOf(whole), async (json) => {
        writeJson('wrong/x.json', json);
        await expectNoSurprise(importLabelme(at('wrong'), { perShape: false }));
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  test('a folder that is missing, or has nothing', async () => {
    await expect(importLabelme(at('nowhere'), { perShape: false })).rejects.toThrow(/no folder .*nowhere/);
    await expect(importLabelme(at('images'), { perShape: false })).rejects.toThrow(/has no \.json file/);
  });
});

describe('writeOwnData', () => {
  const images: ImportedImage[] = Array.from({ length: 40 }, (_, i) => ({
    path: at('images', `${i}.png`),
    height: HEIGHT,
    width: WIDTH,
    expressions: [{ text: `thing ${i % 4}`, masks: [{ polygons: [[0, 0, 5, 0, 5, 5]] }] }],
  }));
  const written = (options: { val?: number; absent?: number; seed?: number }): Record<string, unknown>[] => {
    writeOwnData(out, images, { ...PLAIN, ...options });
    const lines = readFileSync(out, 'utf8').trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  };

  test('the seed decides which images are for val; neither split is empty', () => {
    const valOf = (options: object): unknown[] =>
      written(options)
        .filter(({ split }) => split === 'val')
        .map((line) => line.image);
    expect(valOf({})).toEqual([]);
    expect(valOf({ val: 0.1 })).toHaveLength(4);
    expect(valOf({ val: 0.1 })).toEqual(valOf({ val: 0.1 }));
    expect(valOf({ val: 0.1 })).not.toEqual(valOf({ val: 0.1, seed: 2 }));
    expect(valOf({ val: 0.001 })).toHaveLength(1);
    expect(writeOwnData(out, images.slice(0, 2), { ...PLAIN, val: 0.9 })).toMatchObject({ images: 2, val: 1 });
  });

  test("absent expressions are other images', never one of its own", () => {
    for (const { expressions } of written({ absent: 2 })) {
      const all = expressions as { text: string; mask: unknown }[];
      expect(all).toHaveLength(3);
      expect(new Set(all.map(({ text }) => text)).size).toBe(3);
      expect(all.map(({ mask }) => mask === null)).toEqual([false, true, true]);
    }
    expect(written({ absent: 9 })[0]?.expressions).toHaveLength(4);
    expect(writeOwnData(out, images, { ...PLAIN, absent: 2 })).toEqual({
      images: 40,
      val: 0,
      expressions: 120,
      absent: 80,
    });
  });

  test('paths inside the folder of the file are relative, others absolute; nothing half-written is left', () => {
    expect(written({})[0]?.image).toBe('images/0.png');
    const elsewhere = at('elsewhere', 'data.jsonl');
    writeOwnData(elsewhere, images, PLAIN);
    expect(readFileSync(elsewhere, 'utf8')).toContain(JSON.stringify(at('images', '0.png')));
    expect(readdirSync(at('elsewhere'))).toEqual(['data.jsonl']);
    expect(() => writeOwnData(at('empty.jsonl'), [], PLAIN)).toThrow(/Nothing to write to .*empty\.jsonl/);
    expect(existsSync(at('empty.jsonl'))).toBe(false);
  });

  test('annotations that are divided stay so; nothing that is annotated in any form is absent', () => {
    const [first, second, third] = images as [ImportedImage, ImportedImage, ImportedImage];
    const divided = [
      { ...first, split: 'test' as const, annotated: new Set(['thing 1']) },
      { ...second, split: 'val' as const, knownAbsent: ['cup', 'thing 1'] },
      { ...third, knownAbsent: [] },
    ];
    writeOwnData(out, divided, { ...PLAIN, val: 0.5, absent: 9 });
    const lines = readFileSync(out, 'utf8').trimEnd().split('\n');
    const read = lines.map(
      (line) => JSON.parse(line) as { split: string; expressions: { text: string; mask: unknown }[] },
    );
    expect(read.map(({ split }) => split)).toEqual(['test', 'val', 'train']);
    const absent = read.map(({ expressions }) =>
      expressions.filter(({ mask }) => mask === null).map(({ text }) => text),
    );
    expect(absent).toEqual([['thing 2'], ['cup'], []]);
  });

  test('an existing file is replaced only when told to', () => {
    written({});
    expect(() => refuseExisting(out, false)).toThrow(/data\.jsonl exists; .*--overwrite/);
    expect(() => refuseExisting(out, true)).not.toThrow();
    expect(() => refuseExisting(at('new.jsonl'), false)).not.toThrow();
  });

  test('labels become expressions: underscores are spaces', () => {
    expect(expressionOf('traffic_light ')).toBe('traffic light');
    expect(expressionOf('the  big__dog.')).toBe('the big dog');
    expect(() => expressionOf('_')).toThrow(/is empty/);
    expect(() => expressionOf('<image>')).toThrow(/reserved/);
  });

  test('property: whatever is written is read again, the same masks and no problem', async () => {
    const random = new Random(5);
    const point = (): number => Math.round(random.uniform() * 3000) / 100;
    for (let run = 0; run < 10; run++) {
      const expressions = Array.from({ length: 5 }, (_, i) => ({
        text: `thing ${i}`,
        masks: [{ polygons: [[0, 0, 9, 0, 9, 9, ...Array.from({ length: 2 * random.integer(5) }, point)]] }],
      }));
      const image = { path: at('images', 'a.png'), height: HEIGHT, width: WIDTH, expressions };
      writeOwnData(out, [image], { ...PLAIN, seed: run });
      const data = await openOwnData(out, 'train');
      const masks = data.images.flatMap((each) => data.targets(each).map(({ mask }) => mask));
      const expected = expressions.map(({ masks: [own] }) => annotationToRle(own?.polygons, HEIGHT, WIDTH));
      expect(masks.map(encodeMask)).toEqual(expected);
    }
  });
});
