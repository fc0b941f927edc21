/** Comparing two runs: exact differences, intervals that cover the truth as often as they say, data that must agree. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { compareImages, compareRuns, settingDifferences } from '../../src/evaluation/compare.js';
import { GRES } from '../../src/evaluation/benchmarks/benchmarks.js';
import { evaluate } from '../../src/evaluation/evaluate.js';
import { recordedResults } from '../../src/evaluation/records/record-figures.js';
import type { RecordFile } from '../../src/evaluation/records/record.js';
import type { ExpressionRecord, ImageRecord } from '../../src/evaluation/records/record-types.js';
import { Random } from '../../src/random.js';
import { headerFor, RandomDataset, RandomResponder, recordFor } from './random-run.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-compare-'));
const dataset = new RandomDataset(folder, 20);
beforeAll(() => dataset.writeFiles());
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function run(path: string, skill: number, protocols: RecordFile['header']['protocols']): Promise<RecordFile> {
  const images: ImageRecord[] = [];
  const onImage = (image: ImageRecord): void => {
    images.push(image);
  };
  await evaluate(GRES, dataset, new RandomResponder(skill), { protocols, batch: 8, onImage });
  return { path, header: headerFor(20, { protocols }), images };
}

const OPTIONS = { resamples: 500, seed: 1 };

test('cIoU is compared as it is reported: undefined without a target that is there', () => {
  const absent = recordFor({ targetIsEmpty: true, targetArea: 0, iou: 0, intersection: 0, union: 10 });
  const cIoU = (a: ExpressionRecord[], b: ExpressionRecord[]): unknown =>
    compareImages(GRES.figures, [a], [b], OPTIONS).find(({ figure }) => figure === 'cIoU');
  expect(cIoU([absent], [absent])).toEqual({ figure: 'cIoU', a: null, b: null, difference: null, interval: null });
  expect(cIoU([absent, recordFor()], [recordFor()])).toMatchObject({ a: 100 / 210, b: 0.5 });
});

test('what was measured differently is named', () => {
  const file = (more: Partial<RecordFile['header']>): RecordFile => ({
    path: 'a',
    header: headerFor(1, more),
    images: [],
  });
  expect(settingDifferences(file({ weightsDigest: 'w1' }), file({}))).toEqual([]);
  expect(settingDifferences(file({ question: 'default', rejectThreshold: 0.6 }), file({ minimumPixels: 50 }))).toEqual([
    { setting: 'question', a: 'default', b: 'reference' },
    { setting: 'rejectThreshold', a: 0.6, b: null },
    { setting: 'minimumPixels', a: 0, b: 50 },
  ]);
});

describe('compareRuns', () => {
  test('the differences are those of the figures; the intervals lie around them; a run and itself differ by 0', async () => {
    const [a, b] = [await run('a', 0.6, ['strict', 'reference']), await run('b', 0.95, ['strict'])];
    const [comparison, ...others] = compareRuns(a, b, OPTIONS);
    expect(others).toEqual([]);
    expect(comparison).toMatchObject({ protocol: 'strict', images: 20 });
    const [inA, inB] = [recordedResults(a)[0], recordedResults(b)[0]];
    for (const each of comparison?.figures ?? []) {
      const [x, y] = [inA?.figures[each.figure] ?? NaN, inB?.figures[each.figure] ?? NaN];
      expect(each.a).toBeCloseTo(x, 12);
      expect(each.b).toBeCloseTo(y, 12);
      expect(each.difference).toBeCloseTo(y - x, 12);
      const [low, high] = each.interval ?? [NaN, NaN];
      expect(low).toBeLessThanOrEqual(y - x);
      expect(high).toBeGreaterThanOrEqual(y - x);
    }
    expect(compareRuns(a, b, OPTIONS)).toEqual([comparison]); // seeded
    for (const { figures } of compareRuns(a, a, OPTIONS)) {
      for (const { difference, interval } of figures) expect([difference, interval]).toEqual([0, [0, 0]]);
    }
  });

  test('other expressions, other data and other protocols are refused by name', async () => {
    const a = await run('a', 0.6, ['strict']);
    const change = (more: Partial<ExpressionRecord>): RecordFile => ({
      ...a,
      path: 'b',
      images: a.images.map((image, i) =>
        i === 3 ? { ...image, records: image.records.map((r, k) => (k === 0 ? { ...r, ...more } : r)) } : image,
      ),
    });
    expect(() => compareRuns(a, change({ expression: 'else' }), OPTIONS)).toThrow(
      /expression 1 of 103\.png is "thing 0 of 3.*" with .* and "else" with a target/,
    );
    expect(() => compareRuns(a, change({ targetArea: 4000 }), OPTIONS)).toThrow(/a target of 4000 pixels/);
    const other = { ...a, path: 'b', header: { ...a.header, split: 'testA' } };
    expect(() => compareRuns(a, other, OPTIONS)).toThrow('Comparing a and b: split is val and testA');
    const reference = await run('c', 0.6, ['reference']);
    expect(() => compareRuns(a, reference, OPTIONS)).toThrow('a was measured by strict, c by reference');
    const fewer = a.images.map((image, i) => (i === 2 ? { ...image, records: image.records.slice(1) } : image));
    expect(() => compareRuns(a, { ...a, images: fewer }, OPTIONS)).toThrow(/of 102\.png is/);
  });
});

describe('the bootstrap', () => {
  test('resamples whole images: one image has no spread, whatever is in it', () => {
    const records = [recordFor({ iou: 0.2 }), recordFor({ iou: 0.9 })];
    const [gIoU, , nAcc] = compareImages(GRES.figures, [records], [records.slice(1)], OPTIONS);
    expect(gIoU?.difference).toBeCloseTo(0.35, 12);
    expect(gIoU?.interval?.map((value) => value.toFixed(12))).toEqual(['0.350000000000', '0.350000000000']);
    expect(nAcc).toEqual({ figure: 'N_acc', a: null, b: null, difference: null, interval: null });
  });

  /**
   * 200 worlds, each with 40 images drawn from a population in which B is better by a known amount, its results bound
   * to A's. A 95 % interval misses the truth 10 times in 200; the standard deviation of that is 3.1, and the percentile
   * bootstrap on 40 images is a little narrow. Between 3 and 24 misses are accepted.
   */
  test('its intervals cover the known difference about 95 times in 100', () => {
    const random = new Random(7);
    const worlds = 200;
    const missed = { gIoU: 0, T_acc: 0 };
    for (let world = 0; world < worlds; world++) {
      const [a, b]: [ExpressionRecord[][], ExpressionRecord[][]] = [[], []];
      for (let image = 0; image < 40; image++) {
        // What all expressions of an image have in common makes them dependent.
        const ease = random.uniform();
        const [inA, inB]: [ExpressionRecord[], ExpressionRecord[]] = [[], []];
        for (let i = 0; i < 3; i++) {
          const base = 0.5 * ease + 0.3 * random.uniform();
          const gain = 0.1 * (random.uniform() + ease);
          const luck = random.uniform();
          inA.push(recordFor({ iou: base, decisionIsRight: luck < 0.6 }));
          inB.push(recordFor({ iou: base + gain, decisionIsRight: luck < 0.7 }));
        }
        a.push(inA);
        b.push(inB);
      }
      const [gIoU, , , tAcc] = compareImages(GRES.figures, a, b, { resamples: 300, seed: world });
      const misses = (interval: readonly [number, number] | null | undefined, truth: number): number =>
        interval && interval[0] <= truth && truth <= interval[1] ? 0 : 1;
      missed.gIoU += misses(gIoU?.interval, 0.1);
      missed.T_acc += misses(tAcc?.interval, 0.1);
    }
    for (const count of Object.values(missed)) {
      expect(count).toBeGreaterThanOrEqual(3);
      expect(count).toBeLessThanOrEqual(24);
    }
  });
});
