/** The measurement of loading: it loads what it says, leaves nothing behind, and is told in one line. */
import { expect, test } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describeLoading, measureLoading } from '../../src/benchmark/sample-loading.js';

const folders = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('gsva-bench-loading-'));

test('measureLoading', async () => {
  const before = folders();
  const done: number[] = [];
  const settings = { runs: 2, samples: 3, step: 0.001 };
  const { rates, waits } = await measureLoading(settings, (run) => done.push(run));
  expect(done).toEqual([0, 1, 2, 3]);
  expect([rates.length, waits.length]).toEqual([2, 3]);
  for (const value of [...rates, ...waits]) expect(value).toBeGreaterThan(0);
  expect(folders()).toEqual(before);
});

test('describeLoading', () => {
  expect(describeLoading({ rates: [20, 22.04, 24], waits: [0.0001, 0.0002, 0.01] }, 0.25)).toBe(
    'loading: 22.0 samples/s in one thread (20.0 – 24.0); with steps of 250.0 ms a sample is waited for 0.2 ms, ' +
      'at most 10.0 ms',
  );
});
