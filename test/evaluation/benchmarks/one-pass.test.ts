/** Rules of one pass with a forced answer: every mask is drawn and compared, absent targets with an empty one. */
import { describe, expect, test } from '@jest/globals';
import { BENCHMARK_NAMES, benchmarkOf, isAskedAsWritten } from '../../../src/evaluation/benchmarks/benchmarks.js';
import { ONE_PASS_GRES, rulesOf } from '../../../src/evaluation/benchmarks/benchmarks.js';
import { resultOf } from '../../../src/evaluation/records/record-figures.js';
import { scoreExpression } from '../../../src/evaluation/score.js';
import { binaryMask, segmentResult } from '../../../src/inference/segment-result.js';

const [HEIGHT, WIDTH] = [1, 4];

/** @param logits of four pixels @param target of the same */
function scored(logits: readonly number[], target: readonly number[]) {
  const all = { data: Float32Array.from(logits), height: HEIGHT, width: WIDTH };
  const mask = { data: Uint8Array.from(target), height: HEIGHT, width: WIDTH };
  const result = segmentResult('it', 'segmented', all, null, ONE_PASS_GRES.logitRule);
  const asked = { target: { expression: 'it', isEmpty: !target.includes(1), mask }, index: 0 };
  const answered = { result, secondPassMask: binaryMask(all, ONE_PASS_GRES.logitRule) };
  const rule = { rejectThreshold: null, minimumPixels: 0 };
  return scoreExpression(ONE_PASS_GRES, 'strict', rule, asked, answered).score;
}

describe('one pass', () => {
  test('each set has its benchmark by the rules of each system', () => {
    expect(['grefcoco', 'refcoco+', 'reason_seg', 'ade20k'].map((name) => benchmarkOf(name, 'one-pass').name)).toEqual([
      'one-pass-gres',
      'one-pass-res',
      'one-pass-reason',
      'one-pass-sem-seg',
    ]);
    expect(benchmarkOf('grefcoco', 'lisa').name).toBe('gres');
    expect(BENCHMARK_NAMES.map(rulesOf).filter((rules) => rules === 'one-pass')).toHaveLength(4);
    expect(rulesOf('lisa-reason')).toBe('lisa');
    expect(rulesOf('sem-seg')).toBe('gsva');
    expect(BENCHMARK_NAMES.filter(isAskedAsWritten)).toEqual(['lisa-res', 'one-pass-gres', 'one-pass-res']);
  });

  test('a logit of 0 is outside; an absent target is met by an empty mask alone; figures by hand', () => {
    const records = [
      scored([1, 0, -1, 2], [1, 1, 0, 1]), // 2 of 3
      scored([0, 0, 0, 0], [0, 0, 0, 0]), // empty, rightly
      scored([0, 0, 0, 1], [0, 0, 0, 0]), // a pixel too many
    ];
    expect(records.map(({ intersection, union }) => [intersection, union])).toEqual([
      [2, 3],
      [0, 0],
      [0, 1],
    ]);
    const { figures } = resultOf(ONE_PASS_GRES, 'strict', records);
    expect(figures['gIoU']).toBeCloseTo((2 / 3.00001 + 1) / 3.00001, 6);
    expect(figures['cIoU']).toBeCloseTo(2 / 4, 9);
    expect(figures['N_acc']).toBe(0.5);
  });
});
