import { describe, expect, test } from '@jest/globals';

import { REASON } from '../../../src/evaluation/benchmarks/benchmarks.js';
import { lisaFigures, maskOverlap } from '../../../src/evaluation/metrics/mask-overlap.js';
import { resultOf } from '../../../src/evaluation/records/record-figures.js';
import { scoreExpression } from '../../../src/evaluation/score.js';
import { UserError } from '../../../src/errors.js';
import { segmentResult } from '../../../src/inference/segment-result.js';
import { Random } from '../../../src/random.js';
import type { BinaryMask } from '../../../src/types.js';

function mask(...rows: readonly string[]): BinaryMask {
  const data = Uint8Array.from(rows.join(''), Number);
  return { data, height: rows.length, width: data.length / rows.length };
}

describe('ignored pixels', () => {
  test('are left out of both masks', () => {
    const [prediction, target, ignored] = [mask('1110', '1000'), mask('0110', '0110'), mask('1100', '0100')];
    expect(maskOverlap(prediction, target, ignored)).toEqual({
      intersection: 1,
      union: 3,
      predictedArea: 2,
      targetArea: 2,
    });
    expect(() => maskOverlap(null, target, mask('1'))).toThrow(UserError);
  });
});

describe('lisaFigures', () => {
  test('a mean over masks and a quotient of sums, with the small terms of the reference', () => {
    const { gIoU, cIoU } = lisaFigures([
      { intersection: 1, union: 4 },
      { intersection: 0, union: 0 },
      { intersection: 3, union: 3 },
    ]);
    expect(gIoU).toBeCloseTo((1 / 4.00001 + 1 + 3 / 3.00001) / 3.00001, 7);
    expect(cIoU).toBeCloseTo(4 / 7, 9);
    expect(lisaFigures([{ intersection: 0, union: 0 }]).cIoU).toBe(0);
  });

  test('the figures of `eval` on ReasonSeg differ from it in the small terms alone', () => {
    const random = new Random(5);
    const [height, width] = [12, 16];
    const scored = Array.from({ length: 20 }, (_, index) => {
      const drawn = Array.from({ length: height * width }, () => random.integer(3));
      const target = { data: Uint8Array.from(drawn, (value) => Number(value === 1)), height, width };
      const ignored = { data: Uint8Array.from(drawn, (value) => Number(value === 2)), height, width };
      const logits = { data: Float32Array.from(drawn, () => random.normal()), height, width };
      const result = segmentResult('it', 'segmented', logits, null, REASON.logitRule);
      const asked = { target: { expression: 'it', isEmpty: false, mask: target, ignored }, index };
      const rule = { rejectThreshold: null, minimumPixels: 0 };
      return {
        score: scoreExpression(REASON, 'strict', rule, asked, { result, secondPassMask: undefined }).score,
        overlap: maskOverlap(result.mask, target, ignored),
      };
    });
    const { figures } = resultOf(
      REASON,
      'strict',
      scored.map(({ score }) => score),
    );
    const { gIoU, cIoU } = lisaFigures(scored.map(({ overlap }) => overlap));
    expect(Math.abs((figures['gIoU'] ?? 0) - gIoU)).toBeLessThan(1e-6);
    expect(Math.abs((figures['cIoU'] ?? 0) - cIoU)).toBeLessThan(1e-6);
  });
});
