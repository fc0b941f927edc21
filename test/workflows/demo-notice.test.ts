/** A demo that has learned nothing says so before its figures. */
import { expect, test } from '@jest/globals';
import { demoNotice, type DemoCourse } from '../../src/workflows/demo.js';

const falling = (updates: number): number[] => Array.from({ length: updates }, (_, i) => 12 * 0.99 ** i + 0.5);
const figures = (gIoU: number, N_acc: number, T_acc: number): DemoCourse['after'] => ({ gIoU, N_acc, T_acc });

const LEARNED: DemoCourse = {
  minutes: 10,
  recipeMinutes: 10,
  warmupUpdates: 30,
  losses: falling(900),
  before: figures(0, 0, 0),
  after: figures(0.75, 0.85, 0.9),
};

test('a run that has learned has no notice, and neither has a short one on a fast machine', () => {
  expect(demoNotice(LEARNED)).toBeNull();
  expect(demoNotice({ ...LEARNED, minutes: 1 })).toBeNull();
});

test('a minute is too short to learn', () => {
  const course = { ...LEARNED, minutes: 1, losses: falling(20), after: figures(0.1, 0.2, 0.9) };
  expect(demoNotice(course)).toBe(
    'Too short to learn: 20 updates in 1 minute, and the warm-up alone takes 30; the recipe is made for 10 minutes; the ' +
      'loss went from 12.44 to 10.46. The figures are those of a model at the beginning of its training and no result. ' +
      'Use --minutes 10.',
  );
  // The loss falls and the figures rise, but they are half-way.
  expect(demoNotice({ ...LEARNED, minutes: 2, after: figures(0.4, 0.7, 0.7) })).toMatch(/^Too short to learn: 900 upd/);
});

test.each([
  [
    'the loss has not moved',
    { losses: Array<number>(900).fill(12) },
    /^Nothing learned: .*the loss went from 12\.00 to 12\.00/,
  ],
  ['the loss is no number', { losses: [1, NaN] }, /the loss went from 1\.00 to NaN/],
  ['no update', { losses: [] }, /no update was made/],
  ['the figures have not moved', { after: figures(0.05, 0.9, 0.9) }, /gIoU went from 0\.000 to 0\.050/],
  ['it rejects everything', { after: figures(0.33, 1, 0) }, /the mean of N-acc and T-acc is 0\.500, a guess has 0\.5/],
] as const)('%s: said also where the time was enough', (_, more, message) => {
  expect(demoNotice({ ...LEARNED, ...more })).toMatch(message);
});
