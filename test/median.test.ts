/** The middle of lists of odd and even length, in whatever order. */
import { expect, test } from '@jest/globals';
import { median } from '../src/median.js';

test('the middle, or the mean of the two middles; the list stays as it is', () => {
  const values = [5, 1, 3];
  expect([median(values), median([4, 1, 3, 2]), median([7])]).toEqual([3, 2.5, 7]);
  expect(values).toEqual([5, 1, 3]);
  expect(median([])).toBeNaN();
});
