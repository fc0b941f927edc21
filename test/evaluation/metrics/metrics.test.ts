/**
 * Scores and figures, on the way that `gsva eval` goes, against a second implementation written from the definitions
 * alone: sets of pixel numbers, lists of all expressions, sums at the end. (The reference's own figures are in test/verification/metrics.test.ts.)
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { UserError } from '../../../src/errors.js';
import { GRES, REF_ZOM, RES } from '../../../src/evaluation/benchmarks/benchmarks.js';
import { boxIou, boxOfMask, maskOverlap } from '../../../src/evaluation/metrics/mask-overlap.js';
import { GRES_PROTOCOLS, scoreGres } from '../../../src/evaluation/metrics/gres-score.js';
import type { Answer } from '../../../src/evaluation/metrics/gres-score.js';
import type { BinaryMask, Box } from '../../../src/types.js';
import { type Prediction, resultOfPredictions } from '../../../src/verification/metrics.js';

const HEIGHT = 3;
const WIDTH = 4;

interface Case {
  readonly logits: number[];
  readonly target: number[];
  readonly answer: Answer;
}

const pixels = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.array(value, { minLength: HEIGHT * WIDTH, maxLength: HEIGHT * WIDTH });
const emptyMask = fc.constant(Array.from({ length: HEIGHT * WIDTH }, () => 0));
const expressionOf = (answers: readonly Answer[]): fc.Arbitrary<Case> =>
  fc.record({
    logits: fc.oneof(pixels(fc.constantFrom(-2, -0.5, -0, 0, 0.5, 3)), pixels(fc.constantFrom(-2, -1))),
    target: fc.oneof(pixels(fc.constantFrom(0, 1)), emptyMask),
    answer: fc.constantFrom(...answers),
  });
const casesOf = (...answers: Answer[]): fc.Arbitrary<Case[]> => fc.array(expressionOf(answers), { maxLength: 12 });

const logitMask = (data: number[]) => ({ data: Float32Array.from(data), height: HEIGHT, width: WIDTH });
const binaryMask = (data: number[]): BinaryMask => ({ data: Uint8Array.from(data), height: HEIGHT, width: WIDTH });
const inputs = (c: Case): Prediction => ({
  logits: logitMask(c.logits),
  target: binaryMask(c.target),
  answer: c.answer,
});

/** Pixel numbers that pass a test. */
const setOf = (values: number[], inside: (value: number) => boolean): Set<number> =>
  new Set(values.flatMap((value, i) => (inside(value) ? [i] : [])));
const common = (a: Set<number>, b: Set<number>): number => [...a].filter((i) => b.has(i)).length;
const either = (a: Set<number>, b: Set<number>): number => new Set([...a, ...b]).size;
const total = (values: number[]): number => values.reduce((a, b) => a + b, 0);
const mean = (values: number[]): number | null => (values.length === 0 ? null : total(values) / values.length);
const quotient = (a: number, b: number): number | null => (b === 0 ? null : a / b);

function expectClose(found: number | null, expected: number | null): void {
  if (expected === null || found === null) expect(found).toBe(expected);
  else expect(Math.abs(found - expected)).toBeLessThan(1e-12);
}

function naiveGres(cases: Case[], rejectedKeepsMask: boolean) {
  const rows = cases.map(({ logits, target, answer }) => {
    const wanted = setOf(target, (v) => v === 1);
    const drawn = answer === 'found' || rejectedKeepsMask ? setOf(logits, (v) => v >= 0) : new Set<number>();
    if (wanted.size > 0) {
      const iou = common(drawn, wanted) / either(drawn, wanted);
      return {
        absent: false,
        right: answer === 'found',
        iou,
        inter: common(drawn, wanted),
        union: either(drawn, wanted),
      };
    }
    const right = answer === 'absent';
    return { absent: true, right, iou: right ? 1 : 0, inter: 0, union: answer === 'found' ? drawn.size : 0 };
  });
  const decided = (absent: boolean): number[] => rows.filter((r) => r.absent === absent).map((r) => (r.right ? 1 : 0));
  return {
    gIoU: mean(rows.map((r) => r.iou)),
    // Undefined where no target is there, whatever was drawn.
    cIoU: rows.every((r) => r.absent)
      ? null
      : quotient(total(rows.map((r) => r.inter)), total(rows.map((r) => r.union))),
    presentOnly: quotient(total(rows.map((r) => r.inter)), total(rows.filter((r) => !r.absent).map((r) => r.union))),
    N_acc: mean(decided(true)),
    T_acc: mean(decided(false)),
  };
}

describe('generalized referring segmentation', () => {
  test.each(GRES_PROTOCOLS)('%s equals the naive computation', (protocol) => {
    const isReference = protocol === 'reference';
    fc.assert(
      fc.property(isReference ? casesOf('found', 'absent') : casesOf('found', 'absent', 'none'), (cases) => {
        const found = resultOfPredictions(GRES, protocol, cases.map(inputs));
        const expected = naiveGres(cases, isReference);
        for (const key of ['gIoU', 'cIoU', 'N_acc', 'T_acc'] as const) {
          expectClose(found[key], expected[key]);
          expectClose(found.figures[key] ?? null, expected[key]);
        }
        expect(found.expressions).toBe(cases.length);
        expect(found.presentTargets + found.absentTargets).toBe(cases.length);
      }),
      { seed: 1, numRuns: 400 },
    );
  });

  test('figures that nothing decides are null, never NaN', () => {
    const nothing = resultOfPredictions(GRES, 'strict', []);
    expect([nothing.gIoU, nothing.cIoU, nothing.N_acc, nothing.T_acc]).toEqual([null, null, null, null]);
    const zeros = Array.from({ length: 12 }, () => 0);
    const onlyRejections = resultOfPredictions(GRES, 'strict', [
      inputs({ logits: zeros, target: zeros, answer: 'absent' }),
    ]);
    expect(onlyRejections).toMatchObject({ gIoU: 1, cIoU: null, N_acc: 1, T_acc: null });
    // One pixel drawn for an absent target does not make cIoU 0: there was nothing to meet.
    const logits = zeros.map((_, i) => (i === 0 ? 1 : -1));
    const drawn = resultOfPredictions(GRES, 'strict', [inputs({ logits, target: zeros, answer: 'found' })]);
    expect(drawn).toMatchObject({ gIoU: 0, cIoU: null, N_acc: 0, T_acc: null });
    const present = inputs({ logits, target: zeros.map((_, i) => Number(i < 2)), answer: 'found' });
    const both = resultOfPredictions(GRES, 'strict', [inputs({ logits, target: zeros, answer: 'found' }), present]);
    expect(both.cIoU).toBe(1 / 3);
  });

  test('rejecting everything pays under reference only', () => {
    const target = binaryMask([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    const rejected = { prediction: target, target, answer: 'absent' as const };
    expect(scoreGres('reference', rejected)).toMatchObject({ iou: 1, decisionIsRight: false });
    expect(scoreGres('strict', rejected)).toMatchObject({ iou: 0, union: 2, decisionIsRight: false });
  });

  test('an expression that was passed over is wrong, whether its target is there or not', () => {
    const absent = Array.from({ length: 12 }, () => 0);
    const present = [1, ...Array.from({ length: 11 }, () => 0)];
    const passedOver = (target: number[]) =>
      scoreGres('generate', { prediction: null, target: binaryMask(target), answer: 'none' });
    expect(passedOver(absent)).toMatchObject({ iou: 0, union: 0 });
    expect(passedOver(present)).toMatchObject({ iou: 0, union: 1 });
    const all = [absent, present].map((target) => inputs({ logits: absent, target, answer: 'none' }));
    expect(resultOfPredictions(GRES, 'generate', all)).toMatchObject({ gIoU: 0, cIoU: 0, N_acc: 0, T_acc: 0 });
  });

  test('reference refuses what its two passes cannot give', () => {
    const target = binaryMask([1, ...Array.from({ length: 11 }, () => 0)]);
    expect(() => scoreGres('reference', { prediction: target, target, answer: 'none' })).toThrow(RangeError);
    expect(() => scoreGres('reference', { prediction: null, target, answer: 'absent' })).toThrow(/second pass/);
  });

  test('masks of another size are refused with both sizes', () => {
    const target = binaryMask(Array.from({ length: 12 }, () => 0));
    const prediction = { data: new Uint8Array(12), height: 4, width: 3 };
    expect(() => scoreGres('strict', { prediction, target, answer: 'found' })).toThrow(/4×3.*3×4/);
    expect(() => maskOverlap(null, { ...target, height: 5 })).toThrow(UserError);
  });
});

describe('the other benchmarks', () => {
  test('RES: guarded as published, logits of exactly 0 outside', () => {
    fc.assert(
      fc.property(casesOf('found', 'absent'), (cases) => {
        const { figures } = resultOfPredictions(RES, 'reference', cases.map(inputs));
        const rows = cases.map(({ logits, target }) => {
          const [drawn, wanted] = [setOf(logits, (v) => v > 0), setOf(target, (v) => v === 1)];
          return { inter: common(drawn, wanted), union: either(drawn, wanted) };
        });
        const gIoU = mean(rows.map((r) => (r.union === 0 ? 1 : r.inter / (r.union + 1e-5))));
        expectClose(figures['gIoU'] ?? null, gIoU);
        expectClose(
          figures['cIoU'] ?? null,
          cases.some(({ target }) => target.includes(1))
            ? quotient(total(rows.map((r) => r.inter)), total(rows.map((r) => r.union)))
            : null,
        );
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  test('both readings of Ref-ZOM equal the naive computation', () => {
    fc.assert(
      fc.property(casesOf('found', 'absent'), (cases) => {
        const reported = resultOfPredictions(REF_ZOM, 'reference', cases.map(inputs)).figures;
        const paper = resultOfPredictions(REF_ZOM, 'strict', cases.map(inputs)).figures;
        const asReference = naiveGres(cases, true);
        expectClose(reported['mIoU_as_reported'] ?? null, asReference.gIoU);
        expectClose(reported['oIoU'] ?? null, asReference.presentOnly);
        expectClose(reported['N_acc'] ?? null, asReference.N_acc);
        const present = cases.filter((c) => c.target.includes(1));
        const absent = cases.filter((c) => !c.target.includes(1));
        const asStrict = naiveGres(present, false);
        expectClose(paper['mIoU'] ?? null, asStrict.gIoU);
        expectClose(paper['oIoU'] ?? null, asStrict.cIoU);
        const silent = absent.map((c) => (c.answer === 'absent' || !c.logits.some((v) => v >= 0) ? 1 : 0));
        expectClose(paper['Acc'] ?? null, mean(silent));
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  test('boxes hold exactly the pixels of the mask and their IoU equals that of the filled boxes', () => {
    const filled = ([xMin, yMin, xMax, yMax]: Box): Set<number> => {
      const [xs, ys] = [Array.from({ length: WIDTH }, (_, x) => x), Array.from({ length: HEIGHT }, (_, y) => y)];
      const rows = ys.filter((y) => y >= yMin && y < yMax);
      return new Set(rows.flatMap((y) => xs.filter((x) => x >= xMin && x < xMax).map((x) => y * WIDTH + x)));
    };
    fc.assert(
      fc.property(pixels(fc.constantFrom(0, 0, 0, 1)), pixels(fc.constantFrom(0, 0, 0, 1)), (a, b) => {
        const [boxA, boxB] = [boxOfMask(binaryMask(a)), boxOfMask(binaryMask(b))];
        expect(boxA === null).toBe(!a.includes(1));
        if (boxA === null || boxB === null) return;
        const rows = a.flatMap((v, i) => (v === 1 ? [Math.floor(i / WIDTH)] : []));
        const columns = a.flatMap((v, i) => (v === 1 ? [i % WIDTH] : []));
        expect(boxA).toEqual([
          Math.min(...columns),
          Math.min(...rows),
          Math.max(...columns) + 1,
          Math.max(...rows) + 1,
        ]);
        expectClose(boxIou(boxA, boxB), common(filled(boxA), filled(boxB)) / either(filled(boxA), filled(boxB)));
      }),
      { seed: 4, numRuns: 300 },
    );
  });

  test('REC counts present targets only, and an IoU of exactly one half is no hit', () => {
    const [half, whole, none] = [4, 8, 0].map((count) => Array.from({ length: 12 }, (_, i) => (i < count ? 1 : 0))) as [
      number[],
      number[],
      number[],
    ];
    const logits = (mask: number[]): number[] => mask.map((value) => value - 0.5);
    const precision = (...cases: Case[]): number | null | undefined =>
      resultOfPredictions(RES, 'strict', cases.map(inputs)).figures['Prec@0.5'];
    const hit: Case = { logits: logits(whole), target: whole, answer: 'found' };
    const notMore: Case = { logits: logits(half), target: whole, answer: 'found' };
    expect(precision(hit)).toBe(1);
    expect(precision(notMore)).toBe(0);
    expect(precision(hit, notMore, { ...hit, answer: 'absent' }, { ...hit, target: none })).toBe(1 / 3);
    expect(precision()).toBeNull();
  });
});
