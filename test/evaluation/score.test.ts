/**
 * Figures by the way that every evaluation goes (answer → score → sums) on the recorded predictions of the reference,
 * and beside the accumulators that were proved on their own.
 */
import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { type Benchmark, GRES, REASON, REF_ZOM, RES, SEM_SEG } from '../../src/evaluation/benchmarks.js';
import type { FigureValues } from '../../src/evaluation/figures.js';
import type { GresProtocol } from '../../src/evaluation/metrics/gres-metric.js';
import { resultOf } from '../../src/evaluation/record-figures.js';
import { type DecisionRule, type ScoredExpression, scoreExpression } from '../../src/evaluation/score.js';
import { binaryMask, segmentResult } from '../../src/inference/segment-result.js';
import { readSafetensors } from '../../src/io/safetensors.js';
import type { BinaryMask } from '../../src/types.js';
import { fixture } from '../helpers/fixtures.js';

interface Recorded {
  readonly samples: readonly { n: number; height: number; width: number; output_ids: number[] }[];
  readonly seg: number;
  readonly rej: number;
  readonly expected: Record<string, Record<string, number>>;
}

const recorded = JSON.parse(readFileSync(fixture('metrics', 'case.json'), 'utf8')) as Recorded;
const { tensors } = readSafetensors(fixture('metrics', 'predictions.safetensors'));

/** The recorded answers and masks, as a responder would give them. */
function figures(benchmark: Benchmark, protocol: GresProtocol): FigureValues {
  const scored = recorded.samples.flatMap(({ n, height, width, output_ids }, image) => {
    const answers = output_ids.filter((id) => id === recorded.seg || id === recorded.rej);
    return Array.from({ length: n }, (_, index): ScoredExpression => {
      const pixels = [index * height * width, (index + 1) * height * width] as const;
      const logitData = tensors.get(`${image}.logits`)?.data as Float32Array;
      const maskData = tensors.get(`${image}.gt`)?.data as Uint8Array;
      const logits = { data: logitData.subarray(...pixels), height, width };
      const mask: BinaryMask = { data: maskData.subarray(...pixels), height, width };
      const status = answers[index] === recorded.rej ? 'rejected' : 'segmented';
      const expression = `${index}`;
      const target = { expression, mask, isEmpty: mask.data.every((value) => value === 0) };
      return scoreExpression(
        benchmark,
        protocol,
        { rejectThreshold: null, minimumPixels: 0 },
        { target, index },
        {
          result: segmentResult(expression, status, logits, null, benchmark.logitRule),
          secondPassMask: binaryMask(logits, benchmark.logitRule),
        },
      );
    });
  });
  return resultOf(
    benchmark,
    protocol,
    scored.map(({ score }) => score),
  ).figures;
}

function expectFigures(found: FigureValues, expected: Record<string, number | undefined>): void {
  for (const [name, value] of Object.entries(expected)) {
    expect([name, Math.abs((found[name] ?? NaN) - (value ?? NaN)) < 1e-6]).toEqual([name, true]);
  }
}

describe("the reference's recorded figures, to 1e-6", () => {
  const { grefcoco, strict, res, rec, refzom, refzom_paper: paper } = recorded.expected;

  test('GRES by reference and strict', () => {
    expectFigures(figures(GRES, 'reference'), grefcoco ?? {});
    expectFigures(figures(GRES, 'strict'), strict ?? {});
  });

  test('RES and REC', () => {
    expectFigures(figures(RES, 'reference'), res ?? {});
    expectFigures(figures(REASON, 'reference'), res ?? {});
    expectFigures(figures(RES, 'strict'), rec ?? {});
  });

  test('Ref-ZOM as the code reports it, and by the definition of the paper', () => {
    expectFigures(figures(REF_ZOM, 'strict'), paper ?? {});
    expectFigures(figures(REF_ZOM, 'reference'), {
      mIoU_as_reported: refzom?.['mIoU_as_reported'],
      oIoU: refzom?.['oIoU_as_reported'],
      N_acc: refzom?.['N_acc'],
      T_acc: refzom?.['T_acc'],
    });
  });
});

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
      answer: 'rej',
      mask: null,
      score: { iou: 1 },
    });
    expect(score(GRES, 'strict', TARGET, HALF, { rule })).toMatchObject({ answer: 'rej', score: { iou: 0, union: 4 } });
    expect(score(GRES, 'reference', TARGET, HALF, { rule })).toMatchObject({ answer: 'rej', score: { iou: 0.5 } });
    expect(score(GRES, 'strict', TARGET, HALF, { rule: { minimumPixels: 2 } }).answer).toBe('seg');
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
