/** Kinds of failures and what they cost; parts of a run; the measures of masks that they stand on, by brute force. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { decodeMask, encodeMask } from '../../src/data/masks/coco-mask.js';
import {
  breakDown,
  imageFigures,
  wordsIn,
  failureOf,
  findFailures,
  summarizeFailures,
  type FailureKind,
} from '../../src/evaluation/breakdown.js';
import { GRES } from '../../src/evaluation/benchmarks/benchmarks.js';
import { evaluate } from '../../src/evaluation/evaluate.js';
import { boundaryErrors, boundaryReach, bestOtherTarget } from '../../src/evaluation/records/image-record.js';
import { GRES_PROTOCOLS } from '../../src/evaluation/metrics/gres-score.js';
import { recordsOf, resultOf } from '../../src/evaluation/records/record-figures.js';
import type { ExpressionRecord, ImageRecord } from '../../src/evaluation/records/record-types.js';
import { worstOfEachKind } from '../../src/evaluation/report/analysis-data.js';
import { Random } from '../../src/random.js';
import type { BinaryMask } from '../../src/types.js';
import { RandomDataset, RandomResponder, recordFor } from './random-run.js';

function randomMask(random: Random, height: number, width: number): BinaryMask {
  const density = random.uniform();
  const data = Uint8Array.from({ length: height * width }, () => Number(random.uniform() < density));
  return { data, height, width };
}

describe('measures of masks', () => {
  test('boundary errors: wrong pixels with a pixel of the other kind of the target at most `reach` away', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = new Random(seed);
      const [height, width, reach] = [1 + random.integer(9), 1 + random.integer(9), 1 + random.integer(3)];
      const [prediction, target] = [randomMask(random, height, width), randomMask(random, height, width)];
      let expected = 0;
      for (let i = 0; i < height * width; i++) {
        if (prediction.data[i] === target.data[i]) continue;
        const near = target.data.some((value, k) => {
          const [dy, dx] = [Math.floor(k / width) - Math.floor(i / width), (k % width) - (i % width)];
          return value !== target.data[i] && Math.max(Math.abs(dy), Math.abs(dx)) <= reach;
        });
        if (near) expected++;
      }
      expect(boundaryErrors(prediction, target, reach)).toBe(expected);
    }
    expect([boundaryReach({ height: 480, width: 640 }), boundaryReach({ height: 128, width: 128 })]).toEqual([4, 1]);
  });

  test('the best covered other target: share of its pixels outside of the own one', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = new Random(seed);
      const [height, width] = [1 + random.integer(6), 1 + random.integer(6)];
      const masks = Array.from({ length: 4 }, () => randomMask(random, height, width));
      const [prediction, ...targets] = masks as [BinaryMask, ...BinaryMask[]];
      const own = random.integer(targets.length);
      let best: { expression: number; share: number } | null = null;
      for (const [expression, { data }] of targets.entries()) {
        if (expression === own) continue;
        const isElsewhere = (value: number, i: number): boolean => value === 1 && targets[own]?.data[i] === 0;
        const area = data.filter((value) => value === 1).length;
        const elsewhere = data.filter(isElsewhere).length;
        const covered = data.filter((value, i) => isElsewhere(value, i) && prediction.data[i] === 1).length;
        if (area === 0 || elsewhere <= area / 2) continue;
        if (covered / elsewhere > (best?.share ?? 0)) best = { expression, share: covered / elsewhere };
      }
      expect(bestOtherTarget(encodeMask(prediction), targets.map(encodeMask), own)).toEqual(best);
      expect(decodeMask(encodeMask(prediction))).toEqual(prediction);
    }
  });
});

describe('failures', () => {
  const other = (share: number): Partial<ExpressionRecord> => ({ other: { expression: 1, share } });
  test.each<[FailureKind | null, Partial<ExpressionRecord>]>([
    [null, { iou: 1 }],
    ['false reject', { answer: 'absent', decisionIsRight: false, iou: 0 }],
    ['false reject', { answer: 'absent', decisionIsRight: false, iou: 0.7 }],
    ['false accept', { targetIsEmpty: true, decisionIsRight: false, iou: 0, targetArea: 0 }],
    ['unanswered', { answer: 'none', targetIsEmpty: true, iou: 0, targetArea: 0 }],
    ['merged instances', { intersection: 80, ...other(0.5) }],
    ['wrong instance', { intersection: 20, ...other(0.9) }],
    ['missed', { intersection: 9, targetArea: 100, ...other(0.4) }],
    ['boundary', { boundaryErrors: 51 }],
    ['inexact', { boundaryErrors: 50 }],
    ['inexact', { intersection: 40, boundaryErrors: 160 }],
  ])('%s: %j', (kind, more) => {
    expect(failureOf(recordFor(more))).toBe(kind);
  });

  test('the costs of a whole run add up to 1 − gIoU, by every protocol; the dearest come first', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gsva-failures-'));
    const dataset = new RandomDataset(folder, 30);
    await dataset.writeFiles();
    const images: ImageRecord[] = [];
    const { results } = await evaluate(GRES, dataset, new RandomResponder(0.9), {
      protocols: GRES_PROTOCOLS,
      batch: 8,
      onImage: (image) => images.push(image),
    });
    rmSync(folder, { recursive: true });
    for (const { protocol, gIoU } of results) {
      const failures = findFailures(recordsOf(images, protocol));
      const total = failures.reduce((sum, { cost }) => sum + cost, 0);
      expect(total).toBeCloseTo(1 - (gIoU ?? NaN), 12);
      const kinds = summarizeFailures(failures);
      expect(kinds.reduce((sum, { cost }) => sum + cost, 0)).toBeCloseTo(total, 12);
      expect(kinds.reduce((sum, { count }) => sum + count, 0)).toBe(failures.length);
      for (const list of [failures, kinds, worstOfEachKind(failures, 2)]) {
        expect(list.map(({ cost }) => cost)).toEqual(list.map(({ cost }) => cost).sort((a, b) => b - a));
      }
      const shown = worstOfEachKind(failures, 2).map(({ kind }) => kind);
      for (const { kind, count } of kinds)
        expect(shown.filter((each) => each === kind)).toHaveLength(Math.min(2, count));
    }

    // Parts of the run: together they are the whole again.
    const records = recordsOf(images, 'strict');
    for (const { groups } of breakDown(GRES, 'strict', records).slice(0, 2)) {
      expect(groups.reduce((sum, { result }) => sum + result.expressions, 0)).toBe(records.length);
      const mean =
        groups.reduce((sum, { result }) => sum + (result.gIoU ?? 0) * result.expressions, 0) / records.length;
      expect(mean).toBeCloseTo(resultOf(GRES, 'strict', records).gIoU ?? NaN, 12);
    }
    const perImage = imageFigures(GRES, 'strict', records);
    expect(perImage).toHaveLength(30);
    expect(perImage.map(({ result }) => result.gIoU)).toEqual(
      perImage.map(({ result }) => result.gIoU).sort((a, b) => Number(a) - Number(b)),
    );
  });
});

describe('breakdown', () => {
  const sized = (targetArea: number, more: Partial<ExpressionRecord> = {}): ExpressionRecord =>
    recordFor({ targetArea, targetIsEmpty: targetArea === 0, targets: Number(targetArea > 0), ...more });
  const counts = (records: readonly ExpressionRecord[]): Record<string, Record<string, number>> =>
    Object.fromEntries(
      breakDown(GRES, 'strict', records).map(({ title, groups }) => [
        title,
        Object.fromEntries(groups.map(({ name, result }) => [name, result.expressions])),
      ]),
    );

  test('by targets, words, and size', () => {
    const records = [
      sized(0, { expression: 'dog' }),
      sized(1023, { expression: 'the red  dog' }),
      sized(1024, { targets: 2, expression: 'a b c d' }),
      sized(9215, { targets: 3, expression: 'a b c d e f g' }),
      sized(9216, { targets: 7, expression: 'a b c d e f g h i j k' }),
    ];
    expect(counts(records)).toMatchObject({
      'Number of targets': { none: 1, one: 1, two: 1, 'three or more': 2 },
      'Words in the expression': { '1': 1, '2–3': 1, '4–6': 1, '7–10': 1, '11 or more': 1 },
      "Size of the target (COCO's limits)": { 'small: below 32² pixels': 1, 'medium: below 96² pixels': 2, large: 1 },
    });
    expect(wordsIn('  ')).toBe(0);
  });

  test('the quarters hold as many targets each, equal ones together; nothing breaks without any', () => {
    const quarters = (areas: readonly number[]): number[] => {
      const all = counts(areas.map((area) => sized(area)))['Size of the target (share of the image)'];
      return Object.values(all ?? {});
    };
    expect(quarters(Array.from({ length: 12 }, (_, i) => 100 + i))).toEqual([3, 3, 3, 3]);
    expect(quarters([5, 5, 5, 5])).toEqual([4]);
    expect(quarters([0, 7])).toEqual([1]);
    expect(quarters([])).toEqual([]);
  });
});
