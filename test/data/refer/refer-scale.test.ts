/**
 * Readiness at scale, in small: a tenth of gRefCOCO's images, of its expressions and of the memory that is allowed (see
 * test/fuzz/refer-scale.mjs, which measures the whole in a process of its own).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';

import { GRefCoco } from '../../../src/data/refer/refcoco.js';

interface Sizes {
  readonly images: number;
  readonly annotationsPerImage: number;
  readonly expressionsPerImage: number;
  readonly points: number;
}

const dir = mkdtempSync(join(tmpdir(), 'gsva-refer-scale-'));
afterAll(() => {
  rmSync(dir, { recursive: true });
});

test('2,000 images and 28,000 expressions are read within a tenth of 1.5 GB', async () => {
  const script = resolve('test', 'fuzz', 'refer-scale-files.mjs');
  const { writeReferFiles } = (await import(script)) as { writeReferFiles: (dir: string, sizes: Sizes) => void };
  writeReferFiles(dir, { images: 2000, annotationsPerImage: 12, expressionsPerImage: 14, points: 40 });
  const before = process.memoryUsage().rss;
  const dataset = GRefCoco.open(dir, 'train');
  const taken = process.memoryUsage().rss - before;
  expect(dataset.images).toHaveLength(2000);
  expect(dataset.images.reduce((sum, { expressions }) => sum + expressions.length, 0)).toBe(28_000);
  expect(taken).toBeLessThan(150e6);

  // Every fifth expression is about nothing, the one after it about two things.
  const { expressions } = dataset.trainingSet('grefcoco').requestAt(1999);
  expect(expressions.map(({ masks }) => masks.length)).toEqual([0, 2, 1, 1, 1, 0, 2, 1, 1, 1, 0, 2, 1, 1]);
  expect(dataset.images[1999]?.expressions.map(({ isEmpty }) => isEmpty).filter(Boolean)).toHaveLength(3);
});
