/** The rank test against the same test by counting pairs. */
import { expect, test } from '@jest/globals';
import { chanceOfLower, medianOf } from '../../../src/training/watching/learning-watch.js';

test('medianOf', () => {
  expect(medianOf([3])).toBe(3);
  expect(medianOf([5, 1, 3])).toBe(3);
  expect(medianOf([4, 1, 3, 2])).toBe(2.5);
});

// Computed in Python: U by comparing every pair, Φ by math.erfc.
test.each([
  [[1, 2, 3, 4, 5], [3, 4, 5, 6, 7, 8], 0.03300771576061553],
  [[1, 1, 2, 2, 2, 9], [2, 2, 3, 3, 1], 0.31390483301543415],
  [[8, 9, 10, 11], [1, 2, 3, 4], 0.9929310152720443],
])('chanceOfLower(%j, %j) by pairs', (values, others, expected) => {
  expect(chanceOfLower(values, others)).toBeCloseTo(expected, 6);
});

test('values that are all the same are not lower', () => {
  expect(chanceOfLower([2, 2, 2], [2, 2, 2])).toBe(1);
});
