/** What people's files hold: mask shapes, rotated shapes, pictures inside JSON, LVIS, YOLO, Pascal VOC, other encodings. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { annotationToRle } from '../../../src/data/masks/coco-mask-annotation.js';
import { rleArea, rleFromString } from '../../../src/data/masks/coco-mask.js';
import { importCoco } from '../../../src/data/own/coco-import.js';
import type { Imported } from '../../../src/data/own/image-drafts.js';
import { type LabelmeOptions, embeddedPicture, importLabelme } from '../../../src/data/own/labelme-import.js';
import type { WrittenMask } from '../../../src/data/own/own-data-writer.js';
import { colourOf, importVoc } from '../../../src/data/own/voc-import.js';
import { importYolo } from '../../../src/data/own/yolo-import.js';
import { pngOf } from '../../helpers/png-chunks.js';

const [HEIGHT, WIDTH] = [60, 80];
const scratch = mkdtempSync(join(tmpdir(), 'gsva-formats-'));
const at = (...parts: string[]): string => join(scratch, ...parts);
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

let picture: Buffer;
beforeAll(async () => {
  picture = await sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: '#345' } })
    .png()
    .toBuffer();
});

function write(name: string, content: string | Uint8Array): string {
  mkdirSync(dirname(at(name)), { recursive: true });
  writeFileSync(at(name), content);
  return at(name);
}

function area(masks: readonly WrittenMask[]): number {
  return masks.reduce((sum, mask) => {
    if ('polygons' in mask)
      return sum + rleArea(annotationToRle(mask.polygons, HEIGHT, WIDTH) ?? { size: [1, 1], counts: [1] });
    return sum + rleArea(rleFromString(mask.rle.counts, ...mask.rle.size));
  }, 0);
}
/** Expression → pixels, image by image. */
const areas = ({ images }: Imported): Record<string, number>[] =>
  images.map(({ expressions }) => Object.fromEntries(expressions.map(({ text, masks }) => [text, area(masks)])));
const countsOf = ({ leftOut }: Imported): Record<string, number> =>
  Object.fromEntries(leftOut.kinds.map((kind) => [kind, leftOut.count(kind)]));
const listed = ({ leftOut }: Imported): string => leftOut.entries.map(({ what }) => what).join('\n');

describe('LabelMe', () => {
  const labelme = (name: string, shapes: readonly object[], more: object = {}): string =>
    write(name, JSON.stringify({ shapes, imagePath: 'a.png', ...more }));
  const read = (folder: string, options: Partial<LabelmeOptions> = {}) => {
    const standard = { perShape: false, fill: 'coco', keepIncomplete: false, images: null } as const;
    return importLabelme(at(folder), { ...standard, embeddedInto: at('embedded'), ...options });
  };
  const RECTANGLE = { label: 'cat', shape_type: 'rectangle', points: [[10, 10], [20, 20]] }; // prettier-ignore

  test('a mask shape is the PNG at its first point, cut at the edge of the picture', async () => {
    write('mask/a.png', picture);
    const png = pngOf(4, 2, 8, 0, Uint8Array.from([0, 255, 0, 1, 1, 0, 1, 1, 1, 0])).toString('base64');
    const shape = (label: string, x: number, y: number) => ({ label, shape_type: 'mask', points: [[x, y], [x + 3, y + 1]], mask: png }); // prettier-ignore
    labelme('mask/a.json', [shape('blob', 30, 20), shape('edge', WIDTH - 1, 5)]);
    expect(areas(await read('mask'))).toEqual([{ blob: 6, edge: 2 }]);
  });

  test.each(['oriented_rectangle', 'rotation'])('%s: four corners in any direction', async (type) => {
    write('turned/a.png', picture);
    labelme('turned/a.json', [{ label: 'cat', shape_type: type, points: [[20, 10], [30, 20], [20, 30], [10, 20]] }]); // prettier-ignore
    const [found] = areas(await read('turned'));
    expect(Math.abs((found?.cat ?? 0) - 200)).toBeLessThan(20);
  });

  test("filled as COCO's a 10–20 rectangle has 100 pixels, as LabelMe exports it 121", async () => {
    write('fill/a.png', picture);
    labelme('fill/a.json', [RECTANGLE]);
    expect(areas(await read('fill'))).toEqual([{ cat: 100 }]);
    expect(areas(await read('fill', { fill: 'labelme' }))).toEqual([{ cat: 121 }]);
  });

  test('a picture that only the JSON file holds is taken from there; two files with one picture are one image', async () => {
    const more = { imageData: picture.toString('base64'), imageHeight: HEIGHT, imageWidth: WIDTH };
    labelme('inside/1.json', [RECTANGLE], more);
    labelme('inside/2.json', [{ ...RECTANGLE, label: 'dog' }], more);
    const imported = await read('inside');
    expect(imported.images.map(({ path }) => path)).toEqual([at('embedded', '1.png')]);
    expect(areas(imported)).toEqual([{ cat: 100, dog: 100 }]);
    const [[, json]] = [...imported.embedded] as [[string, string]];
    expect(embeddedPicture(json).equals(picture)).toBe(true);
  });

  test('a mask that would lack an object is left out, and its words are never absent', async () => {
    for (const name of ['a.png', 'b.png']) write(`lacks/${name}`, picture);
    const line = { label: 'cat', shape_type: 'linestrip', points: [[1, 1], [9, 9]] }; // prettier-ignore
    labelme('lacks/a.json', [RECTANGLE, line, { ...RECTANGLE, label: 'dog' }]);
    labelme('lacks/b.json', [RECTANGLE], { imagePath: 'b.png' });
    const imported = await read('lacks');
    expect(areas(imported)).toEqual([{ dog: 100 }, { cat: 100 }]);
    expect(imported.images[0]?.annotated).toEqual(new Set(['cat', 'dog']));
    expect(countsOf(imported)).toEqual({ shapes: 1, incomplete: 1 });
    expect(imported.leftOut.faults).toBe(0);
    expect(areas(await read('lacks', { keepIncomplete: true }))).toEqual([{ cat: 100, dog: 100 }, { cat: 100 }]);
  });

  test('GB18030 and UTF-16 are named with the command that converts them', async () => {
    const text = JSON.stringify({ shapes: [{ ...RECTANGLE, label: 'X' }], imagePath: 'a.png' });
    const gb = Buffer.concat(
      text
        .split('X')
        .flatMap((part, i) =>
          i === 0 ? [Buffer.from(part)] : [Buffer.from([0xba, 0xec, 0xc9, 0xab]), Buffer.from(part)],
        ),
    );
    write('gbk/a.png', picture);
    write('gbk/a.json', gb);
    write('gbk/b.json', Buffer.from(`\ufeff${text}`, 'utf16le'));
    const imported = await read('gbk');
    expect(listed(imported)).toMatch(/a\.json .*gb18030.*iconv -f gb18030 -t utf-8 '.*a\.json'/);
    expect(listed(imported)).toMatch(/b\.json .*UTF-16.*iconv -f utf-16/);
  });

  test('sizes swapped by an EXIF orientation are named as such, with what mends it', async () => {
    const turned = await sharp(picture).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    write('exif/a.jpg', turned);
    labelme('exif/a.json', [RECTANGLE], { imagePath: 'a.jpg', imageWidth: WIDTH, imageHeight: HEIGHT });
    const imported = await read('exif');
    expect(countsOf(imported)).toEqual({ otherSizes: 1 });
    expect(listed(imported)).toMatch(/a\.jpg is turned by its EXIF orientation 6.*exiftool -Orientation= '.*a\.jpg'/);
  });
});

describe('COCO and LVIS', () => {
  const SQUARE = [[2, 2, 8, 2, 8, 8, 2, 8]];
  const annotation = (image: number, category: number, segmentation: unknown = SQUARE) => {
    return { id: 100 * image + category, image_id: image, category_id: category, segmentation };
  };
  const coco = (name: string, images: readonly object[], annotations: readonly object[]): Promise<Imported> => {
    for (const file of ['a.png', 'b.png']) write(`coco/${file}`, picture);
    const categories = ['cat', 'dog', 'cup', 'car'].map((text, i) => ({ id: i + 1, name: text }));
    const file = write(name, JSON.stringify({ images, categories, annotations }));
    return importCoco(file, at('coco'), { keepIncomplete: false });
  };

  test('LVIS: only what was looked for is absent, and a category that is not marked everywhere is no mask', async () => {
    const url = 'http://images.cocodataset.org/train2017/';
    const imported = await coco(
      'lvis.json',
      [
        { id: 1, coco_url: `${url}a.png`, neg_category_ids: [3], not_exhaustive_category_ids: [1, 4] },
        { id: 2, coco_url: `${url}b.png`, neg_category_ids: [], not_exhaustive_category_ids: [] },
      ],
      [annotation(1, 1), annotation(1, 2), annotation(2, 4)],
    );
    expect(areas(imported)).toEqual([{ dog: 36 }, { car: 36 }]);
    expect(imported.images.map(({ knownAbsent }) => knownAbsent)).toEqual([['cup'], []]);
    expect(imported.images[0]?.annotated).toEqual(new Set(['cat', 'dog', 'car']));
    expect(countsOf(imported)).toEqual({ incomplete: 1 });
  });

  test('one file listed twice is one image: joined before categories are', async () => {
    const images = ['a.png', './a.png', 'b.png'].map((name, i) => ({ id: i + 1, file_name: name }));
    const other = [[20, 20, 24, 20, 24, 24, 20, 24]];
    const imported = await coco('twice.json', images, [annotation(1, 1), annotation(2, 1, other), annotation(3, 2)]);
    expect(areas(imported)).toEqual([{ cat: 36 + 16 }, { dog: 36 }]);
  });

  test('an object of an unknown category may be anything: nothing is absent of its image', async () => {
    const imported = await coco(
      'orphans.json',
      [{ id: 1, file_name: 'a.png' }],
      [annotation(1, 1), annotation(1, 77), annotation(9, 1)],
    );
    expect(countsOf(imported)).toEqual({ unknownImages: 1, unknownCategories: 1 });
    expect(imported.images[0]?.knownAbsent).toEqual([]);
  });

  test.each([
    ['images\\a.png'],
    ['..\\..\\label-studio\\media\\upload\\4\\a.png'],
    ['C:\\Users\\me\\a.png'],
    ['/data/local-files/?d=set/a.png'],
    ['http://host:8080/data/upload/1/a.png'],
    ['/elsewhere/a.png'],
    ['x/../a.png'],
  ])('%s is found by its name in --images', async (name) => {
    expect(areas(await coco('path.json', [{ id: 1, file_name: name }], [annotation(1, 1)]))).toEqual([{ cat: 36 }]);
  });

  test('two names that would be found as one file are not: the second is left out', async () => {
    const images = [
      { id: 1, file_name: 'train/a.png' },
      { id: 2, file_name: 'val/a.png' },
    ];
    const imported = await coco('ambiguous.json', images, [annotation(1, 1), annotation(2, 2)]);
    expect(areas(imported)).toEqual([{ cat: 36 }]);
    expect(listed(imported)).toMatch(/"val\/a\.png": .*a\.png would be found for it, as for "train\/a\.png"/);
  });

  test('ids of annotations used twice are reported, and both are used', async () => {
    const imported = await coco(
      'ids.json',
      [{ id: 1, file_name: 'a.png' }],
      [annotation(1, 1), { ...annotation(1, 2), id: 101 }],
    );
    expect(areas(imported)).toEqual([{ cat: 36, dog: 36 }]);
    expect(listed(imported)).toMatch(/the id 101 is used twice, by annotations\[0\] and annotations\[1\]/);
  });
});

describe('YOLO', () => {
  const files = (yaml: string, labels: Readonly<Record<string, string>>): Promise<Imported> => {
    rmSync(at('yolo'), { recursive: true, force: true });
    for (const name of ['train/images/a', 'train/images/b', 'valid/images/c']) write(`yolo/${name}.png`, picture);
    for (const [name, text] of Object.entries(labels)) write(`yolo/${name}.txt`, text);
    return importYolo(write('yolo/data.yaml', yaml), { keepIncomplete: false });
  };
  const YAML = "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['cat', traffic_light] # two\n";
  const SQUARE = '0.25 0.25 0.5 0.25 0.5 0.5 0.25 0.5';

  test('outlines as shares of the size, splits, backgrounds; Roboflow writes ../train', async () => {
    const imported = await files(YAML, {
      'train/labels/a': `0 ${SQUARE}\r\n1 ${SQUARE}\n`,
      'valid/labels/c': `1 ${SQUARE}\n`,
    });
    expect(areas(imported)).toEqual([{ cat: 300, 'traffic light': 300 }, { 'traffic light': 300 }]);
    expect(imported.images.map(({ split }) => split)).toEqual(['train', 'val']);
    expect(countsOf(imported)).toEqual({ withoutMasks: 1 });
  });

  test('names by numbers, a list of pictures', async () => {
    const yaml = 'path: .\ntrain: list.txt\nnames:\n  0: cat\n  5: "dog, brown"\ndownload: |\n  import x\n';
    rmSync(at('yolo'), { recursive: true, force: true });
    write('yolo/train/images/a.png', picture);
    write('yolo/list.txt', './train/images/a.png\n./train/images/gone.png\n');
    write('yolo/train/labels/a.txt', `5 ${SQUARE}`);
    const imported = await importYolo(write('yolo/data.yaml', yaml), { keepIncomplete: false });
    expect(areas(imported)).toEqual([{ 'dog, brown': 300 }]);
    expect(countsOf(imported)).toEqual({ missingImages: 1 });
  });

  test.each<[string, string, string, RegExp]>([
    ['a box', '0 0.5 0.5 0.2 0.2', 'boxes', /a\.txt, line 2/],
    ['an odd number', '0 0.1 0.1 0.2', 'badEntries', /line 2: 3 coordinates, an odd number/],
    ['pixels', '0 10 10 40 10 40 40', 'badEntries', /a coordinate is 10; expected .* from 0 to 1/],
    ['no number', 'cat 0.1 0.1 0.2', 'badEntries', /number of a class/],
    ['an unknown class', `7 ${SQUARE}`, 'unknownCategories', /the class 7/],
  ])('%s is left out, and its image keeps the rest', async (_, line, kind, message) => {
    const imported = await files(YAML, { 'train/labels/a': `1 ${SQUARE}\n${line}\n` });
    expect(areas(imported)).toEqual([{ 'traffic light': 300 }]);
    expect(countsOf(imported)).toMatchObject({ [kind]: 1 });
    expect(listed(imported)).toMatch(message);
  });

  test('what cannot be read as a whole is refused', async () => {
    await expect(files('names: [a\n', {})).rejects.toThrow(/data\.yaml is not valid YAML/);
    await expect(files('names: [a]\ntrain: nowhere\n', {})).rejects.toThrow(/no pictures were found \(train: nowhere/);
  });
});

describe('Pascal VOC', () => {
  const palette = Uint8Array.from(
    Array.from({ length: 256 }, (_, n) => [colourOf(n) >> 16, (colourOf(n) >> 8) & 255, colourOf(n) & 255]).flat(),
  );
  /** A map of whole rows: one number for each. */
  const map = (numbers: readonly number[]): Buffer => {
    const rows = Array.from({ length: HEIGHT }, (_, y) => [0, ...new Array<number>(WIDTH).fill(numbers[y] ?? 0)]);
    return pngOf(WIDTH, HEIGHT, 8, 3, Uint8Array.from(rows.flat()), [['PLTE', palette]]);
  };
  const xml = (names: readonly string[]): string =>
    `<?xml version="1.0"?><annotation verified="yes"><size><width>${WIDTH}</width><height>${HEIGHT}</height></size>${names
      .map((name) => `<object><name>${name}</name><bndbox><xmin>1</xmin></bndbox></object>`)
      .join('')}</annotation>`;
  const read = (): Promise<Imported> => importVoc(at('voc'), { keepIncomplete: false });

  test('classes by the palette, borders outside, boxes of the XML never absent, splits', async () => {
    rmSync(at('voc'), { recursive: true, force: true });
    for (const name of ['a', 'b']) write(`voc/JPEGImages/${name}.png`, picture);
    write('voc/SegmentationClass/a.png', map([15, 15, 255, 8]));
    write('voc/Annotations/a.xml', xml(['person', 'cat', 'dog']));
    write('voc/SegmentationObject/b.png', map([2, 1, 1, 255]));
    write('voc/Annotations/b.xml', xml(['bird &amp; nest', 'car']));
    write('voc/ImageSets/Segmentation/val.txt', 'b\n');
    const imported = await read();
    expect(areas(imported)).toEqual(
      [
        { cat: WIDTH, person: 2 * WIDTH },
        { car: WIDTH, 'bird & nest': 2 * WIDTH },
      ].map((each) => expect.objectContaining(each)),
    );
    expect(imported.images.map(({ split }) => split)).toEqual([null, 'val']);
    expect(imported.images[0]?.annotated).toEqual(new Set(['person', 'cat', 'dog']));
    expect(countsOf(imported)).toEqual({ boxes: 1 });
  });

  test("CVAT's labelmap.txt names the colours; a colour that nobody knows is listed", async () => {
    rmSync(at('voc'), { recursive: true, force: true });
    write('voc/JPEGImages/a.png', picture);
    write('voc/labelmap.txt', '# label:color_rgb:parts:actions\nbackground:0,0,0::\nred_thing:128,0,0::\n');
    write('voc/SegmentationClass/a.png', map([1, 2]));
    const imported = await read();
    expect(areas(imported)).toEqual([{ 'red thing': WIDTH }]);
    expect(listed(imported)).toMatch(/a\.png: the colour #008000, which stands for no class/);
    expect(imported.images[0]?.knownAbsent).toEqual([]);
  });

  test('XML that is none is left out with its line; a folder without anything is refused', async () => {
    rmSync(at('voc'), { recursive: true, force: true });
    write('voc/JPEGImages/a.png', picture);
    write('voc/Annotations/a.xml', '<annotation>\n<object></annotation>');
    expect(listed(await read())).toMatch(/a\.xml: line 2 is not well-formed XML: <\/annotation> closes <object>/);
    await expect(importVoc(at('yolo'), { keepIncomplete: false })).rejects.toThrow(/has no SegmentationClass/);
  });
});
