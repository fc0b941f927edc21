/** The matrices do what PyTorch's interpolate and SAM's postprocess_masks do. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bilinearMatrix, maskResizeMatrices } from '../../src/nn/bilinear.js';
import { Random } from '../../src/random.js';

/** rows [h, a] · image [a, b] · columnsᵀ [b, w] */
function apply(rows: Float32Array, image: Float64Array, columns: Float32Array, a: number, b: number): Float64Array {
  const [h, w] = [rows.length / a, columns.length / b];
  const out = new Float64Array(h * w);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      let sum = 0;
      for (let i = 0; i < a; i++) {
        for (let j = 0; j < b; j++) {
          sum += (rows[y * a + i] as number) * (image[i * b + j] as number) * (columns[x * b + j] as number);
        }
      }
      out[y * w + x] = sum;
    }
  }
  return out;
}

/** Where PyTorch (in float32, align_corners=False) finds output pixel `i` in the source. */
function sourcePosition(i: number, from: number, to: number): number {
  return Math.max(0, Math.fround(Math.fround(Math.fround(from / to) * (i + 0.5)) - 0.5));
}

/** Pixel by pixel, from the definition. */
function interpolate(image: Float64Array, a: number, b: number, h: number, w: number): Float64Array {
  const at = (y: number, x: number): number => image[Math.min(y, a - 1) * b + Math.min(x, b - 1)] as number;
  const out = new Float64Array(h * w);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const [v, u] = [sourcePosition(y, a, h), sourcePosition(x, b, w)];
      const [i, j] = [Math.floor(v), Math.floor(u)];
      const above = at(i, j) * (1 - (u - j)) + at(i, j + 1) * (u - j);
      const below = at(i + 1, j) * (1 - (u - j)) + at(i + 1, j + 1) * (u - j);
      out[y * w + x] = above * (1 - (v - i)) + below * (v - i);
    }
  }
  return out;
}

function largestDifference(a: Float64Array, b: Float64Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
}

describe('bilinearMatrix', () => {
  test('weights worked out by hand', () => {
    expect([...bilinearMatrix(2, 4)]).toEqual([1, 0, 0.75, 0.25, 0.25, 0.75, 0, 1]);
    expect([...bilinearMatrix(4, 2)]).toEqual([0.5, 0.5, 0, 0, 0, 0, 0.5, 0.5]);
    expect([...bilinearMatrix(3, 3)]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
    expect([...bilinearMatrix(1, 3)]).toEqual([1, 1, 1]);
  });

  test('every row sums to 1, without negative weights', () => {
    const side = fc.integer({ min: 1, max: 60 });
    fc.assert(
      fc.property(side, side, (from, to) => {
        const matrix = bilinearMatrix(from, to);
        for (let i = 0; i < to; i++) {
          const row = matrix.subarray(i * from, (i + 1) * from);
          expect(row.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 6);
          expect(row.every((value) => value >= 0)).toBe(true);
        }
      }),
      { seed: 1, numRuns: 100 },
    );
  });
});

describe('maskResizeMatrices', () => {
  test('equal enlarging, cropping and resizing one after the other', () => {
    const random = new Random(5);
    const [lowRes, inputSize] = [8, 32];
    for (const [resized, original] of [
      [
        [32, 20],
        [61, 38],
      ],
      [
        [14, 32],
        [9, 21],
      ],
      [
        [32, 32],
        [32, 32],
      ],
      [
        [1, 32],
        [1, 50],
      ],
    ] as const) {
      const low = Float64Array.from({ length: lowRes * lowRes }, () => random.normal() * 10);
      const large = interpolate(low, lowRes, lowRes, inputSize, inputSize);
      const [h, w] = resized;
      const cropped = Float64Array.from(
        { length: h * w },
        (_, i) => large[Math.floor(i / w) * inputSize + (i % w)] as number,
      );
      const expected = interpolate(cropped, h, w, original[0], original[1]);
      const { rows, columns } = maskResizeMatrices(lowRes, inputSize, { resized, original });
      expect([rows.length, columns.length]).toEqual([original[0] * lowRes, original[1] * lowRes]);
      expect(largestDifference(apply(rows, low, columns, lowRes, lowRes), expected)).toBeLessThan(1e-5);
    }
  });
});
