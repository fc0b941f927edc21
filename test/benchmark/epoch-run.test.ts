/** The measurement of epochs is told in one line. */
import { expect, test } from '@jest/globals';
import { describeEpochs } from '../../src/benchmark/epoch-run.js';

test('describeEpochs', () => {
  const result = { name: 'on disk, f32', first: [12, 10, 11], later: [8, 7, 9], bytesPerImage: 2 ** 20 };
  expect(describeEpochs(result)).toBe(
    'epochs, features on disk, f32: first 11.00 s (10.00 – 12.00), later 8.00 s (7.00 – 9.00), 1.38× as fast, ' +
      '1.00 MiB an image',
  );
});
