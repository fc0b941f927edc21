import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { fillPolygon } from '../../../src/data/masks/opencv-polygon.js';
import { UserError } from '../../../src/errors.js';
import type { BinaryMask } from '../../../src/types.js';
import { fixture } from '../../helpers/fixtures.js';

/** A polygon and the mask that OpenCV draws: run lengths row by row, beginning with 0. */
interface Case {
  height: number;
  width: number;
  points: [number, number][];
  runs: number[];
}

function emptyMask(height: number, width: number): BinaryMask {
  return { data: new Uint8Array(height * width), height, width };
}

function runsOf({ data }: BinaryMask): number[] {
  const runs: number[] = [];
  let [value, run] = [0, 0];
  for (const pixel of data) {
    if (pixel !== value) {
      runs.push(run);
      [value, run] = [pixel, 0];
    }
    run++;
  }
  return [...runs, run];
}

function expectOpenCv(cases: readonly Case[]): void {
  for (const { height, width, points, runs } of cases) {
    const mask = emptyMask(height, width);
    fillPolygon(mask, points, 1);
    const found = runsOf(mask);
    if (found.join() !== runs.join()) expect({ height, width, points, runs: found }).toEqual({ points, runs });
  }
}

describe('fillPolygon', () => {
  test('the outline belongs to it', () => {
    const mask = emptyMask(4, 5);
    fillPolygon(
      mask,
      [
        [1, 1],
        [3.9, 1],
        [3, 2],
        [1, 2],
      ],
      1,
    );
    expect([...mask.data]).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
  });

  test('recorded masks of OpenCV: inside, outside, tiny, self-intersecting, on the border, not on whole pixels', () => {
    // Made by test/helpers/opencv-polygon-cases.py.
    const cases = JSON.parse(readFileSync(fixture('opencv-polygons.json'), 'utf8')) as Case[];
    expect(cases).toHaveLength(400);
    expectOpenCv(cases);
  });

  test('value 0 takes away what 1 has drawn, and nothing else', () => {
    const mask = emptyMask(20, 30);
    mask.data.fill(1);
    const points = [
      [3, 2],
      [40, 9],
      [11, 17],
    ] as const;
    fillPolygon(mask, points, 0);
    const drawn = emptyMask(20, 30);
    fillPolygon(drawn, points, 1);
    expect(mask.data).toEqual(drawn.data.map((pixel) => 1 - pixel));
  });

  test('no points draw nothing; one draws a pixel', () => {
    const mask = emptyMask(3, 3);
    fillPolygon(mask, [], 1);
    expect(mask.data.includes(1)).toBe(false);
    fillPolygon(mask, [[1, 1]], 1);
    expect(runsOf(mask)).toEqual([4, 1, 4]);
  });

  test('hostile coordinates end in a UserError or a mask, at once', () => {
    const number = fc.oneof(fc.double(), fc.double({ min: -300, max: 300 }));
    fc.assert(
      fc.property(fc.array(fc.tuple(number, number), { maxLength: 12 }), (points) => {
        try {
          fillPolygon(emptyMask(20, 30), points, 1);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
      { numRuns: 500, seed: 1 },
    );
    const long = Array.from({ length: 4000 }, (_, i): [number, number] => [0, i % 2 === 0 ? -99_999 : 99_999]);
    expect(() => {
      fillPolygon(emptyMask(9, 9), long, 1);
    }).toThrow(/outline/);
  });

  const hasOpenCv = ((): boolean => {
    try {
      // Releases before 4.11 round the inside in another way.
      const check = 'import cv2; assert tuple(map(int, cv2.__version__.split(".")[:2])) >= (4, 11)';
      execFileSync('python3', ['-c', check], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  })();
  // Where opencv-python is installed (PYTHONPATH may point to it); the recorded masks are checked everywhere.
  (hasOpenCv ? test : test.skip)('10,000 random polygons beside OpenCV', () => {
    const script = resolve('test', 'helpers', 'opencv-polygon-cases.py');
    const out = execFileSync('python3', [script, '7', '10000'], { encoding: 'utf8', maxBuffer: 2 ** 28 });
    expectOpenCv(JSON.parse(out) as Case[]);
  });
});
