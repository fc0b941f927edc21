/** Numbers that are none, found at every place. */
import { expect, test } from '@jest/globals';
import { countsText, findNotFinite, firstNotFinite, placeText } from '../src/finite.js';
import { Random } from '../src/random.js';

test.each([NaN, Infinity, -Infinity])('%s is found at every place of arrays of many lengths', (bad) => {
  for (const length of [1, 2, 3, 4, 5, 7, 8, 64, 4095, 4096, 4097, 8195]) {
    const values = new Float32Array(length).fill(1.5);
    expect(firstNotFinite(values)).toBe(-1);
    const places = length < 100 ? Array.from({ length }, (_, i) => i) : [0, 1, 4094, length - 2, length - 1];
    for (const place of places) {
      values[place] = bad;
      expect(firstNotFinite(values)).toBe(place);
      values[place] = 1.5;
    }
  }
});

test('the first of several; infinities of both signs do not cancel out', () => {
  const values = new Float32Array(9000);
  values.set([Infinity, -Infinity], 5000);
  values[8000] = NaN;
  expect(findNotFinite(values)).toEqual({ nan: 1, infinite: 2, first: 5000, size: 9000 });
  expect(countsText({ nan: 1, infinite: 2 })).toBe('1 NaN and 2 infinite');
});

test('the largest finite numbers, the smallest, and -0 are finite', () => {
  const random = new Random(1);
  const largest = Float32Array.from({ length: 5000 }, () => (random.uniform() < 0.5 ? -1 : 1) * 3.4028234e38);
  expect(firstNotFinite(largest)).toBe(-1);
  expect(firstNotFinite(Float32Array.of(-0, 1e-45, -1e-45))).toBe(-1);
  expect(firstNotFinite(new Float32Array(0))).toBe(-1);
});

test('places of a number in its tensor', () => {
  expect(placeText(3, [7])).toBe('[3]');
  expect(placeText(23, [2, 3, 4])).toBe('[1, 2, 3]');
  expect(placeText(0, [])).toBe('[]');
});
