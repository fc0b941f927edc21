import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { annotationToRle, polygonToRle } from '../../../src/data/masks/coco-mask-annotation.js';
import {
  type Rle,
  decodeMask,
  encodeMask,
  mergeRles,
  rleArea,
  rleBox,
  rleFromCounts,
  rleFromString,
  rleIou,
  rleToString,
} from '../../../src/data/masks/coco-mask.js';
import { UserError } from '../../../src/errors.js';
import type { BinaryMask } from '../../../src/types.js';

const masks: fc.Arbitrary<BinaryMask> = fc
  .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }))
  .chain(([height, width]) =>
    fc
      .uint8Array({ minLength: height * width, maxLength: height * width, max: 1 })
      .map((data) => ({ data, height, width })),
  );
const pairs = masks.chain((a) =>
  fc.tuple(
    fc.constant(a),
    fc.uint8Array({ minLength: a.data.length, maxLength: a.data.length, max: 1 }).map((data) => ({ ...a, data })),
  ),
);

/** Throws nothing but a UserError. */
function onlyUserErrors(run: () => void): void {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
  }
}

describe('run-length encoding', () => {
  test('goes down the columns, from 0', () => {
    const mask = { data: Uint8Array.of(1, 0, 0, 1, 1, 0), height: 2, width: 3 };
    expect(encodeMask(mask)).toEqual({ size: [2, 3], counts: [0, 2, 1, 1, 2] });
  });

  test('masks come back from it, and from its compressed text', () => {
    fc.assert(
      fc.property(masks, (mask) => {
        const rle = encodeMask(mask);
        expect(decodeMask(rle)).toEqual(mask);
        expect(rleFromString(rleToString(rle), mask.height, mask.width)).toEqual(rle);
        expect(rleFromCounts(rle.counts, mask.height, mask.width)).toEqual(rle);
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  test('long runs survive the compressed text', () => {
    const rle: Rle = { size: [16384, 16384], counts: [0, 2 ** 27, 3, 2 ** 27 - 4, 1] };
    expect(rleFromString(rleToString(rle), 16384, 16384)).toEqual(rle);
  });

  test('area, box, union, intersection and IoU are those counted pixel by pixel', () => {
    fc.assert(
      fc.property(pairs, ([a, b]) => {
        const { height, width } = a;
        const [ra, rb] = [encodeMask(a), encodeMask(b)];
        const or = a.data.map((value, i) => value | (b.data[i] ?? 0));
        const and = a.data.map((value, i) => value & (b.data[i] ?? 0));
        const count = (data: Uint8Array): number => data.reduce((sum, value) => sum + value, 0);
        expect(mergeRles([ra, rb])).toEqual(encodeMask({ data: or, height, width }));
        expect(mergeRles([ra, rb], true)).toEqual(encodeMask({ data: and, height, width }));
        expect(rleArea(ra)).toBe(count(a.data));
        expect(rleIou(ra, rb)).toBe(count(and) === 0 ? 0 : count(and) / count(or));
        const inside = [...a.data.keys()].filter((i) => a.data[i] === 1);
        const [xs, ys] = [inside.map((i) => i % width), inside.map((i) => Math.floor(i / width))];
        const [x, y] = [Math.min(...xs), Math.min(...ys)];
        const box = inside.length === 0 ? [0, 0, 0, 0] : [x, y, Math.max(...xs) - x + 1, Math.max(...ys) - y + 1];
        expect(rleBox(ra)).toEqual(box);
      }),
      { numRuns: 300, seed: 2 },
    );
  });

  test('masks of different sizes are not compared', () => {
    const [a, b] = [
      encodeMask({ data: new Uint8Array(2), height: 1, width: 2 }),
      encodeMask({ data: new Uint8Array(2), height: 2, width: 1 }),
    ];
    expect(() => mergeRles([a, b])).toThrow(/cannot be compared/);
    expect(() => rleIou(a, b)).toThrow(/cannot be compared/);
    expect(() => mergeRles([])).toThrow(/nothing to merge/);
  });

  test('hostile text, runs and sizes end in a UserError', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 30 }),
        fc.integer({ min: -3, max: 50 }),
        fc.integer({ min: -3, max: 50 }),
        (text, h, w) => {
          onlyUserErrors(() => {
            const rle = rleFromString(text, h, w);
            expect(decodeMask(rle).data).toHaveLength(h * w);
          });
        },
      ),
      { numRuns: 500, seed: 3 },
    );
    for (const counts of [[5], [3, -1, 2], [1.5, 2.5], [NaN, 4], [1e20], ['4'], [4, 0, 1]]) {
      expect(() => rleFromCounts(counts, 2, 2)).toThrow(UserError);
    }
    expect(() => rleFromString('o'.repeat(100), 4, 4)).toThrow(/too long/);
    expect(() => rleFromString('4', 1e6, 1e6)).toThrow(/at most/);
  });
});

describe('polygons', () => {
  test('whole pixels are filled from their left upper to their right lower corner', () => {
    expect(decodeMask(polygonToRle([1, 1, 3, 1, 3, 2, 1, 2], 3, 4)).data).toEqual(
      Uint8Array.of(0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0),
    );
  });

  test('points, lines and polygons outside are empty', () => {
    for (const xy of [[], [1, 1], [1, 1, 1, 1], [-5, -5, -1, -5, -1, -1], [20, 20, 30, 20, 30, 30]]) {
      expect(rleArea(polygonToRle(xy, 8, 8))).toBe(0);
    }
  });

  test('hostile coordinates end in a UserError, at once', () => {
    const number = fc.oneof(fc.double(), fc.double({ min: -200, max: 200 }));
    fc.assert(
      fc.property(fc.array(number, { maxLength: 20 }), (xy) => {
        onlyUserErrors(() => {
          const rle = polygonToRle(xy, 20, 30);
          expect(rle.counts.reduce((sum, run) => sum + run, 0)).toBe(600);
        });
      }),
      { numRuns: 500, seed: 4 },
    );
    expect(() => polygonToRle([0, 0, 1e9, 0, 0, 1e9], 10, 10)).toThrow(UserError);
    const long = Array.from({ length: 4000 }, (_, i) => (i % 4 < 2 ? -99_999 : 99_999));
    expect(() => polygonToRle(long, 10, 10)).toThrow(/outline/);
  });

  const python = ((): string | null => {
    try {
      execFileSync('python3', ['-c', 'import pycocotools.mask'], { stdio: 'ignore' });
      return 'python3';
    } catch {
      return null;
    }
  })();
  // Where pycocotools is installed (PYTHONPATH may point to it); the recorded polygons are checked everywhere.
  (python === null ? test.skip : test)('10,000 random cases beside pycocotools', () => {
    const script = join(resolve('test', 'helpers'), 'pycocotools-cases.py');
    const out = execFileSync('python3', [script, '1', '10000'], { encoding: 'utf8', maxBuffer: 2 ** 28 });
    const cases = JSON.parse(out) as {
      height: number;
      width: number;
      polygons: number[][];
      rles: string[];
      union: string;
      intersection: string;
      decoded: string;
      noise: string;
      encoded: string;
      area: number;
      box: number[];
      iou: number;
      crowd: number;
    }[];
    for (const item of cases) {
      const rles = item.polygons.map((polygon) => polygonToRle(polygon, item.height, item.width));
      const union = mergeRles(rles);
      const [first = union] = rles;
      const noise: BinaryMask = { ...item, data: Uint8Array.from(Buffer.from(item.noise, 'hex')) };
      const found = {
        rles: rles.map(rleToString),
        union: rleToString(union),
        intersection: rleToString(mergeRles(rles, true)),
        decoded: createHash('sha1').update(decodeMask(union).data).digest('hex'),
        noise: item.noise,
        encoded: rleToString(encodeMask(noise)),
        area: rleArea(union),
        box: rleBox(union),
        iou: rleIou(first, union),
        crowd: rleArea(mergeRles([first, union], true)) / (rleArea(first) || 1),
      };
      // Jest's comparison of 10,000 objects takes longer than everything else here.
      const { height, width, polygons, ...expected } = item;
      if (JSON.stringify(found) !== JSON.stringify(expected)) {
        expect({ height, width, polygons, ...found }).toEqual(item);
      }
    }
  });
});

describe('annotationToRle', () => {
  const square = [1, 1, 3, 1, 3, 3, 1, 3];
  const uncompressed = { size: [4, 4], counts: [5, 2, 2, 2, 5] };

  test('polygons, lists of polygons, both kinds of encoding and lists of encodings are one mask', () => {
    const expected = annotationToRle([square], 4, 4);
    expect(expected?.counts).toEqual([5, 2, 2, 2, 5]);
    const compressed = { size: [4, 4], counts: rleToString({ size: [4, 4], counts: uncompressed.counts }) };
    for (const segmentation of [[square, square], uncompressed, compressed, [compressed], [uncompressed, square]]) {
      expect(annotationToRle(segmentation, 4, 4)).toEqual(expected);
    }
  });

  test('an empty list is an empty mask; invalid polygons are left out; null when nothing is left', () => {
    expect(annotationToRle([], 4, 4)?.counts).toEqual([16]);
    expect(annotationToRle([[1, 1, 3, 3], square, [1, 2, 3, 4, 5, 6, 7]], 4, 4)?.counts).toEqual([5, 2, 2, 2, 5]);
    expect(annotationToRle([[1, 1, 3, 3]], 4, 4)).toBeNull();
  });

  test.each([
    ['nothing', null],
    ['a text', 'abc'],
    ['another size', { size: [5, 4], counts: [20] }],
    ['no counts', { size: [4, 4] }],
    ['a coordinate that is a text', [[1, 1, 3, '1', 3, 3]]],
    ['runs that do not fill it', { size: [4, 4], counts: [3] }],
    ['an endless list', Array.from({ length: 20_000 }, () => square)],
  ])('%s ends in a UserError', (_, segmentation) => {
    expect(() => annotationToRle(segmentation, 4, 4)).toThrow(UserError);
  });

  test('anything at all ends in a mask, null or a UserError', () => {
    fc.assert(
      fc.property(fc.anything({ maxDepth: 3 }), (segmentation) => {
        onlyUserErrors(() => annotationToRle(segmentation, 6, 5));
      }),
      { numRuns: 500, seed: 5 },
    );
  });
});
