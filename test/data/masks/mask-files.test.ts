/** Masks in the files of other programs are the same masks when they are read again. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeMask } from '../../../src/data/masks/coco-mask.js';
import { annotationToRle } from '../../../src/data/masks/coco-mask-annotation.js';
import { maskToPng, maskToRle, pngToMask, rleToMask } from '../../../src/data/masks/mask-exchange.js';
import {
  type FoundObject,
  cocoFile,
  geojsonFile,
  labelmeFile,
  yoloData,
  yoloLabels,
} from '../../../src/data/masks/mask-files.js';
import { polygonsToMask } from '../../../src/data/masks/mask-polygons.js';
import { UserError } from '../../../src/errors.js';
import { drawOverlay } from '../../../src/evaluation/report/overlay.js';
import { readImage } from '../../../src/io/image/image-file.js';
import type { BinaryMask } from '../../../src/types.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-mask-files-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const MASKS = fc
  .record({ height: fc.integer({ min: 1, max: 13 }), width: fc.integer({ min: 1, max: 13 }) })
  .chain(({ height, width }) =>
    fc
      .array(fc.constantFrom(0, 1, 1), { minLength: height * width, maxLength: height * width })
      .map((values): BinaryMask => ({ data: Uint8Array.from(values), height, width })),
  );

function found(expression: string, mask: BinaryMask | null): FoundObject {
  const area = mask === null ? 0 : mask.data.reduce((sum, value) => sum + value, 0);
  const box = area === 0 || mask === null ? null : ([0, 0, mask.width, mask.height] as const);
  return { expression, status: area === 0 ? 'rejected' : 'segmented', mask, box, area, score: 0.5 };
}

interface Shape {
  readonly label: string;
  readonly points: readonly (readonly [number, number])[];
  readonly group_id: number | null;
}
interface Feature {
  readonly geometry: { readonly coordinates: readonly (readonly (readonly (readonly [number, number])[])[])[] } | null;
}

const picture = (mask: BinaryMask) => ({ name: 'a.jpg', height: mask.height, width: mask.width });
const isEmpty = (mask: BinaryMask): boolean => !mask.data.includes(1);

describe('each form holds the mask to the pixel', () => {
  const forms: readonly [string, (mask: BinaryMask) => BinaryMask][] = [
    [
      'COCO',
      (mask) => {
        const { annotations } = cocoFile(picture(mask), [found('x', mask)]) as {
          annotations: { segmentation: number[][] }[];
        };
        return polygonsToMask(annotations[0]?.segmentation ?? [], mask.height, mask.width);
      },
    ],
    [
      'LabelMe',
      (mask) => {
        const { shapes } = labelmeFile(picture(mask), [found('x', mask)]) as { shapes: Shape[] };
        return polygonsToMask(
          shapes.map(({ points }) => points.flat()),
          mask.height,
          mask.width,
        );
      },
    ],
    [
      'YOLO, six decimals',
      (mask) => {
        const lines = yoloLabels(picture(mask), [found('x', mask)])
          .trim()
          .split('\n')
          .filter((line) => line !== '');
        const polygons = lines.map((line) =>
          line
            .split(' ')
            .slice(1)
            .map((share, i) => Number(share) * (i % 2 === 0 ? mask.width : mask.height)),
        );
        return polygonsToMask(polygons, mask.height, mask.width);
      },
    ],
    [
      'GeoJSON, inside of an odd number of rings',
      (mask) => {
        const { features } = geojsonFile(picture(mask), [found('x', mask)]) as { features: Feature[] };
        const data = new Uint8Array(mask.data.length);
        for (const ring of (features[0]?.geometry?.coordinates ?? []).flat()) {
          expect(ring.at(-1)).toEqual(ring[0]);
          const filled = polygonsToMask([ring.slice(0, -1).flat()], mask.height, mask.width);
          for (const [i, value] of filled.data.entries()) data[i] = (data[i] as number) ^ value;
        }
        return { ...mask, data };
      },
    ],
    ['run lengths', (mask) => rleToMask(maskToRle(mask))],
  ];
  test.each(forms)('%s', (_, again) => {
    fc.assert(
      fc.property(MASKS, (mask) => {
        expect(again(mask)).toEqual(mask);
      }),
      { seed: 17, numRuns: 300 },
    );
  });

  test('a side of 20,000 pixels survives the six decimals of YOLO', () => {
    const data = new Uint8Array(20_000).fill(0);
    for (const at of [0, 6667, 13_331, 19_999]) data[at] = 1;
    const mask = { data, height: 1, width: 20_000 };
    const lines = yoloLabels(picture(mask), [found('x', mask)])
      .trim()
      .split('\n');
    const polygons = lines.map((line) =>
      line
        .split(' ')
        .slice(1)
        .map((share, i) => Number(share) * (i % 2 === 0 ? 20_000 : 1)),
    );
    expect(polygonsToMask(polygons, 1, 20_000)).toEqual(mask);
  });

  test('PNG, from bytes and from a file', async () => {
    const mask = { data: Uint8Array.of(0, 1, 1, 0, 0, 1), height: 2, width: 3 };
    const png = await maskToPng(mask);
    expect(pngToMask(png)).toEqual(mask);
    const path = join(folder, 'mask.png');
    writeFileSync(path, png);
    expect(pngToMask(path)).toEqual(mask);
  });
});

describe('the files', () => {
  const mask = { data: Uint8Array.of(1, 0, 1, 1), height: 1, width: 4 };
  const objects = [found('red "cup"', mask), found('absent', null), found('red "cup"', mask)];

  test('COCO: a category per expression, also for what is absent; boxes as x, y, width, height', () => {
    expect(cocoFile(picture(mask), objects)).toMatchObject({
      images: [{ id: 1, file_name: 'a.jpg', height: 1, width: 4 }],
      categories: [
        { id: 1, name: 'red "cup"' },
        { id: 2, name: 'absent' },
      ],
      annotations: [
        { id: 1, image_id: 1, category_id: 1, bbox: [0, 0, 4, 1], area: 3, iscrowd: 0 },
        { id: 2, category_id: 1 },
      ],
    });
  });

  test('COCO: more parts than are read back from one annotation become run lengths', () => {
    const data = Uint8Array.from({ length: 160 * 160 }, (_, i) => ((i % 160) + Math.floor(i / 160)) % 2);
    const board = { data, height: 160, width: 160 };
    const { annotations } = cocoFile(picture(board), [found('x', board)]) as {
      annotations: { segmentation: unknown }[];
    };
    expect(annotations[0]?.segmentation).toEqual(maskToRle(board));
    expect(annotationToRle(annotations[0]?.segmentation, 160, 160)).toEqual(encodeMask(board));
  });

  test('LabelMe: parts of one mask have one group', () => {
    const { shapes } = labelmeFile(picture(mask), objects) as { shapes: Shape[] };
    expect(shapes.map(({ label, group_id }) => [label, group_id])).toEqual([
      ['red "cup"', 1],
      ['red "cup"', 1],
      ['red "cup"', 2],
      ['red "cup"', 2],
    ]);
  });

  test('GeoJSON: a feature per expression, without geometry for what is absent', () => {
    const { features } = geojsonFile(picture(mask), objects) as { features: Feature[] };
    expect(features.map(({ geometry }) => geometry === null)).toEqual([false, true, false]);
  });

  test('YOLO: names by number, quoted', () => {
    expect(yoloData(objects)).toBe('path: .\ntrain: images\nnames:\n  0: "red \\"cup\\""\n  1: "absent"\n');
    expect(yoloLabels(picture(mask), objects.slice(0, 1))).toBe(
      '0 0.250000 0.000000 0.250000 1.000000 0.000000 1.000000 0.000000 0.000000\n' +
        '0 1.000000 0.000000 1.000000 1.000000 0.500000 1.000000 0.500000 0.000000\n',
    );
    expect(isEmpty(mask)).toBe(false);
  });
});

describe('helpers refuse by name', () => {
  test.each<[string, () => unknown, string]>([
    [
      'pixels that do not fill the size',
      () => maskToRle({ data: new Uint8Array(5), height: 2, width: 3 }),
      'it has 5 pixels for 2 x 3',
    ],
    ['a size that is none', () => rleToMask({ size: [4], counts: 'x' }), 'expected [height, width]'],
    ['counts that are none', () => rleToMask({ size: [4, 4], counts: 7 as unknown as string }), 'its counts are 7'],
    ['counts that do not fill', () => rleToMask({ size: [4, 4], counts: [3, 4] }), 'add up to 7'],
    ['bytes that are no PNG', () => pngToMask(Uint8Array.of(1, 2, 3)), 'not a PNG'],
    ['a missing file', () => pngToMask(join(folder, 'absent.png')), 'no such file'],
  ])('%s', (_, act, message) => {
    expect(act).toThrow(UserError);
    expect(act).toThrow(message);
  });
});

test('drawOverlay: a PNG of the size of the picture, tinted inside the mask', async () => {
  const image = { data: new Uint8Array(30 * 40 * 3).fill(128), height: 30, width: 40 };
  const data = new Uint8Array(30 * 40);
  for (let y = 5; y < 25; y++) data.fill(1, y * 40 + 5, y * 40 + 20);
  const drawn = await readImage(
    await drawOverlay(image, [null, { data, height: 30, width: 40 }], { backdrop: 'natural' }),
  );
  expect([drawn.height, drawn.width]).toEqual([30, 40]);
  const at = (y: number, x: number): number[] => [...drawn.data.subarray(3 * (y * 40 + x), 3 * (y * 40 + x) + 3)];
  expect(at(15, 35)).toEqual([128, 128, 128]);
  expect(at(15, 12)[2]).toBeGreaterThan(150); // the second colour is blue
  await expect(drawOverlay(image, [{ data: new Uint8Array(4), height: 2, width: 2 }])).rejects.toThrow(
    'size of their image',
  );
});
