/** What an answer counts, by benchmark and protocol. (The recorded figures are in test/verification/metrics.test.ts.) */
import { describe, expect, test } from '@jest/globals';
import { type Benchmark, GRES, REASON, RES, SEM_SEG } from '../../src/evaluation/benchmarks/benchmarks.js';
import type { GresProtocol } from '../../src/evaluation/metrics/gres-score.js';
import { resultOf } from '../../src/evaluation/records/record-figures.js';
import { type DecisionRule, type ScoredExpression, scoreExpression } from '../../src/evaluation/score.js';
import { segmentResult } from '../../src/inference/segment-result.js';
import type { BinaryMask } from '../../src/types.js';

const [HEIGHT, WIDTH] = [2, 4];
const row = (data: number[]): BinaryMask => ({ data: Uint8Array.from(data), height: HEIGHT, width: WIDTH });

function score(
  benchmark: Benchmark,
  protocol: GresProtocol,
  target: number[],
  drawn: number[],
  options: {
    readonly rule?: Partial<DecisionRule>;
    readonly rejected?: boolean;
    readonly ignored?: number[];
    readonly name?: string;
  } = {},
): ScoredExpression {
  const { rule = {}, rejected = false, ignored, name = 'a' } = options;
  const logits = { ...row(drawn), data: Float32Array.from(drawn, (value) => value - 0.5) };
  return scoreExpression(
    benchmark,
    protocol,
    { rejectThreshold: null, minimumPixels: 0, ...rule },
    {
      target: {
        expression: name,
        isEmpty: !target.includes(1),
        mask: row(target),
        ...(ignored === undefined ? {} : { ignored: row(ignored) }),
      },
      index: 0,
    },
    {
      result: segmentResult(name, rejected ? 'rejected' : 'segmented', logits, rejected ? 0.9 : 0.1),
      secondPassMask: row(drawn),
    },
  );
}

const TARGET = [1, 1, 1, 1, 0, 0, 0, 0];
const HALF = [1, 1, 0, 0, 0, 0, 0, 0];

describe('scores', () => {
  test('what a wrong [REJ] costs where nothing is absent: by strict the mask, by reference nothing', () => {
    expect(score(RES, 'reference', TARGET, HALF, { rejected: true }).score).toMatchObject({
      iou: 0.5,
      intersection: 2,
      union: 4,
      decisionIsRight: false,
      boxIou: 0.5,
    });
    const strict = score(RES, 'strict', TARGET, HALF, { rejected: true });
    expect(strict).toMatchObject({
      mask: null,
      score: { iou: 0, intersection: 0, union: 4, predictedArea: 0, boxIou: 0 },
    });
  });

  test("LISA's rule: a mask of fewer pixels is a rejection", () => {
    const rule = { minimumPixels: 3 };
    const absent = [0, 0, 0, 0, 0, 0, 0, 0];
    expect(score(GRES, 'strict', absent, HALF, { rule })).toMatchObject({
      answer: 'absent',
      mask: null,
      score: { iou: 1 },
    });
    expect(score(GRES, 'strict', TARGET, HALF, { rule })).toMatchObject({
      answer: 'absent',
      score: { iou: 0, union: 4 },
    });
    expect(score(GRES, 'reference', TARGET, HALF, { rule })).toMatchObject({ answer: 'absent', score: { iou: 0.5 } });
    expect(score(GRES, 'strict', TARGET, HALF, { rule: { minimumPixels: 2 } }).answer).toBe('found');
  });

  test('ignored pixels are neither target nor mistake', () => {
    const drawn = [1, 1, 1, 1, 1, 1, 0, 0];
    const ignored = [0, 0, 0, 0, 1, 1, 1, 1];
    expect(score(REASON, 'reference', TARGET, drawn).score.iou).toBeCloseTo(4 / 6, 12);
    const honoured = score(REASON, 'reference', TARGET, drawn, { ignored });
    expect(honoured.score).toMatchObject({ iou: 1, predictedArea: 4 });
    expect(honoured.mask).toEqual(row(TARGET));
  });

  test('semantic segmentation: the IoU of each class over all images, then the mean over classes', () => {
    const all = [
      score(SEM_SEG, 'reference', TARGET, HALF, { name: 'wall' }), // 2 of 4
      score(SEM_SEG, 'reference', TARGET, TARGET, { name: 'wall' }), // 4 of 4
      score(SEM_SEG, 'reference', HALF, [0, 1, 1, 0, 0, 0, 0, 0], { name: 'sky' }), // 1 of 3
    ];
    const { figures: found } = resultOf(
      SEM_SEG,
      'reference',
      all.map(({ score: each }) => each),
    );
    expect(found['mIoU']).toBeCloseTo((6 / 8 + 1 / 3) / 2, 12);
    expect(found['cIoU']).toBeCloseTo(7 / 11, 12);
    expect(resultOf(SEM_SEG, 'strict', []).figures).toEqual({ mIoU: null, cIoU: null, T_acc: null });
  });
});
