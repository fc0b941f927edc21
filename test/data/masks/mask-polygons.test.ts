/** Polygons of a mask fill to the same pixels by COCO's rule, whatever the mask; rings are simple, with holes apart. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { UserError } from '../../../src/errors.js';
import { maskRegions, maskToPolygons, polygonsToMask } from '../../../src/data/masks/mask-polygons.js';
import type { BinaryMask } from '../../../src/types.js';

/** "#" inside. */
function drawn(...rows: readonly string[]): BinaryMask {
  const data = Uint8Array.from(rows.join(''), (sign) => (sign === '#' ? 1 : 0));
  return { data, height: rows.length, width: rows[0]?.length ?? 0 };
}

const MASKS = fc
  .record({
    height: fc.integer({ min: 1, max: 14 }),
    width: fc.integer({ min: 1, max: 14 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .chain(({ height, width, share }) =>
    fc
      .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: height * width, maxLength: height * width })
      .map((values): BinaryMask => ({
        data: Uint8Array.from(values, (value) => (value < share ? 1 : 0)),
        height,
        width,
      })),
  );

/** Rectangles put on and taken away: large parts with holes in holes. */
const SHAPES = fc
  .array(
    fc.tuple(fc.nat(39), fc.nat(29), fc.integer({ min: 1, max: 25 }), fc.integer({ min: 1, max: 20 }), fc.nat(1)),
    { minLength: 1, maxLength: 14 },
  )
  .map((boxes): BinaryMask => {
    const data = new Uint8Array(40 * 30);
    for (const [left, top, width, height, value] of boxes) {
      for (let y = top; y < Math.min(30, top + height); y++)
        data.fill(value, y * 40 + left, y * 40 + Math.min(40, left + width));
    }
    return { data, height: 30, width: 40 };
  });

/** Area of a ring by the shoelace formula. */
function areaOf(ring: readonly number[]): number {
  let area = 0;
  for (let i = 0; i < ring.length; i += 2) {
    const j = (i + 2) % ring.length;
    area += (ring[i] as number) * (ring[j + 1] as number) - (ring[j] as number) * (ring[i + 1] as number);
  }
  return area / 2;
}

const KNOWN: readonly [string, BinaryMask][] = [
  ['one pixel', drawn('#')],
  ['one pixel of nine', drawn('...', '.#.', '...')],
  ['full', drawn('####', '####', '####')],
  ['a diagonal', drawn('#..', '.#.', '..#')],
  ['the other diagonal', drawn('..#', '.#.', '#..')],
  ['a hole', drawn('#####', '#...#', '#####')],
  ['a hole of one pixel at the border of another', drawn('######', '#.##.#', '##.#.#', '######')],
  ['a part in a hole', drawn('#######', '#.....#', '#.###.#', '#.#.#.#', '#.###.#', '#.....#', '#######')],
  ['a hole that meets the outside at a corner', drawn('####.', '#.###', '#####', '###.#', '.###.')],
  ['holes over one another', drawn('#####', '#.#.#', '#####', '#.#.#', '#####', '##.##', '#####')],
  ['corners of the picture', drawn('#.#', '...', '#.#')],
  ['one row', drawn('##.##.#')],
  ['a chess board', drawn('#.#.#', '.#.#.', '#.#.#', '.#.#.')],
];

describe('maskToPolygons', () => {
  test.each(KNOWN)('%s', (_, mask) => {
    expect(polygonsToMask(maskToPolygons(mask), mask.height, mask.width)).toEqual(mask);
  });

  test('a box of 4,200 pixels stays one of 4,200, with four corners', () => {
    const data = new Uint8Array(100 * 120);
    for (let y = 20; y < 80; y++) data.fill(1, y * 120 + 10, y * 120 + 80);
    const mask = { data, height: 100, width: 120 };
    expect(maskToPolygons(mask)).toEqual([[80, 20, 80, 80, 10, 80, 10, 20]]);
    expect(polygonsToMask(maskToPolygons(mask), 100, 120).data.reduce((sum, value) => sum + value, 0)).toBe(4200);
  });

  test('nothing for an empty mask', () => {
    expect(maskToPolygons(drawn('...', '...'))).toEqual([]);
  });

  test.each([
    ['random pixels', MASKS],
    ['rectangles', SHAPES],
  ])('filled and united they are the mask: %s', (_, masks) => {
    fc.assert(
      fc.property(masks, (mask) => {
        const polygons = maskToPolygons(mask);
        expect(polygonsToMask(polygons, mask.height, mask.width)).toEqual(mask);
        for (const value of polygons.flat()) expect(Number.isInteger(value)).toBe(true);
      }),
      { seed: 15, numRuns: 600 },
    );
  });

  test('a large noisy mask: 250,000 pixels in less than ten seconds', () => {
    const side = 500;
    let state = 7;
    const data = Uint8Array.from({ length: side * side }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state > 0.35 * 2 ** 32 ? 1 : 0;
    });
    const mask = { data, height: side, width: side };
    const startedAt = performance.now();
    expect(polygonsToMask(maskToPolygons(mask), side, side)).toEqual(mask);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });
});

describe('maskRegions', () => {
  test('outer rings have a positive area, holes a negative one, no ring comes to a corner twice', () => {
    fc.assert(
      fc.property(fc.oneof(MASKS, SHAPES), (mask) => {
        let area = 0;
        for (const { outer, holes } of maskRegions(mask)) {
          expect(areaOf(outer)).toBeGreaterThan(0);
          for (const hole of holes) expect(areaOf(hole)).toBeLessThan(0);
          for (const ring of [outer, ...holes]) {
            const corners = new Set(ring.flatMap((x, i) => (i % 2 === 0 ? [`${x} ${ring[i + 1] as number}`] : [])));
            expect(corners.size).toBe(ring.length / 2);
            area += areaOf(ring);
          }
        }
        expect(area).toBe(mask.data.reduce((sum, value) => sum + value, 0));
      }),
      { seed: 16, numRuns: 400 },
    );
  });

  test('a hole is a ring of its own, and what lies in it a part of its own', () => {
    const regions = maskRegions(KNOWN[7]?.[1] as BinaryMask);
    expect(regions.map(({ holes }) => holes.length)).toEqual([1, 1]);
    expect(regions.map(({ outer }) => areaOf(outer))).toEqual([49, 9]);
  });
});

describe('polygonsToMask', () => {
  test.each([
    [[1, 2, 3, 4], 'polygon 1 of 1'],
    [[1, 2, 3, 4, 5, 6, 7], 'odd number'],
    [[1, 2, 3, 4, 5, NaN], 'coordinate 5'],
  ])('%j is a UserError', (polygon, message) => {
    expect(() => polygonsToMask([polygon], 8, 8)).toThrow(UserError);
    expect(() => polygonsToMask([polygon], 8, 8)).toThrow(message);
  });
});
