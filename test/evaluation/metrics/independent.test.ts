/**
 * Masks, boxes and every figure beside implementations that are not ours: pycocotools and numpy, and torchmetrics where
 * it is installed (PYTHONPATH may point to all of them; `.ci/masks` does so). Skipped where python3 has them not.
 */
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { encodeMask, rleArea, rleBox } from '../../../src/data/masks/coco-mask.js';
import { type Benchmark, GRES, REF_ZOM, RES, SEM_SEG } from '../../../src/evaluation/benchmarks.js';
import type { FigureValues } from '../../../src/evaluation/figures.js';
import type { GresProtocol } from '../../../src/evaluation/metrics/gres-metric.js';
import { iouOf, maskOverlap } from '../../../src/evaluation/metrics/mask-overlap.js';
import { boxOfMask, RecMetric } from '../../../src/evaluation/metrics/rec-metric.js';
import { resultOf } from '../../../src/evaluation/record-figures.js';
import { scoreExpression } from '../../../src/evaluation/score.js';
import { binaryMask, segmentResult } from '../../../src/inference/segment-result.js';
import type { BinaryMask } from '../../../src/types.js';

interface Case {
  readonly height: number;
  readonly width: number;
  readonly class: number;
  readonly answer: 'seg' | 'rej';
  readonly target: string;
  readonly logits: string;
  readonly iou: number;
  readonly area: number;
  readonly box: readonly number[];
}

type Group = Readonly<Record<'reference' | 'strict', Readonly<Record<string, number>>>>;

interface Answer {
  readonly cases: readonly Case[];
  readonly figures: Readonly<Record<'gres' | 'res' | 'ref-zom' | 'sem-seg', Group>> & {
    readonly rec: { readonly 'Prec@0.5': number };
  };
  readonly torchmetrics: { readonly cIoU: number; readonly mean: number } | null;
}

function has(modules: string): boolean {
  try {
    execFileSync('python3', ['-c', `import ${modules}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

let answered: Answer | null = null;
function ask(): Answer {
  const script = resolve('test', 'helpers', 'mask-metrics-cases.py');
  const options = { encoding: 'utf8', maxBuffer: 2 ** 28 } as const;
  answered ??= JSON.parse(execFileSync('python3', [script, '1', '10000'], options)) as Answer;
  return answered;
}

interface Inputs {
  readonly logits: { readonly data: Float32Array; readonly height: number; readonly width: number };
  readonly target: BinaryMask;
}

function inputs({ height, width, target, logits }: Case): Inputs {
  return {
    logits: { data: Float32Array.from(new Int8Array(Buffer.from(logits, 'hex'))), height, width },
    target: { data: Uint8Array.from(Buffer.from(target, 'hex')), height, width },
  };
}

function figuresOf(benchmark: Benchmark, protocol: GresProtocol, cases: readonly Case[]): FigureValues {
  const scores = cases.map((item) => {
    const { logits, target } = inputs(item);
    const expression = `class ${item.class}`;
    const status = item.answer === 'rej' ? 'rejected' : 'segmented';
    const { score } = scoreExpression(
      benchmark,
      protocol,
      { rejectThreshold: null, minimumPixels: 0 },
      { target: { expression, isEmpty: !target.data.includes(1), mask: target }, index: 0 },
      {
        result: segmentResult(expression, status, logits, null, benchmark.logitRule),
        secondPassMask: binaryMask(logits, benchmark.logitRule),
      },
    );
    return score;
  });
  return resultOf(benchmark, protocol, scores).figures;
}

describe('10,000 random masks', () => {
  const isThere = has('numpy, pycocotools.mask');

  (isThere ? test : test.skip)('IoU, area and box of each are those of pycocotools', () => {
    for (const item of ask().cases) {
      const { logits, target } = inputs(item);
      const overlap = maskOverlap(logits, target);
      const [xMin, yMin, xMax, yMax] = boxOfMask(logits) ?? [0, 0, 0, 0];
      const rle = encodeMask(binaryMask(logits));
      expect([overlap.predictedArea, rleArea(rle)]).toEqual([item.area, item.area]);
      expect([xMin, yMin, xMax - xMin, yMax - yMin]).toEqual(item.box);
      expect(rleBox(rle)).toEqual(item.box);
      // Of two empty masks pycocotools has no IoU but 0 / 0.
      if (overlap.union > 0) expect(iouOf(overlap)).toBeCloseTo(item.iou, 12);
    }
  });

  (isThere ? test : test.skip)('every figure of every benchmark is that of numpy', () => {
    const { cases, figures } = ask();
    for (const benchmark of [GRES, RES, REF_ZOM, SEM_SEG]) {
      for (const protocol of ['reference', 'strict'] as const) {
        const found = figuresOf(benchmark, protocol, cases);
        const expected = figures[benchmark.name as keyof Omit<Answer['figures'], 'rec'>][protocol];
        expect(Object.keys(expected).length).toBeGreaterThan(0);
        for (const [name, value] of Object.entries(expected)) {
          const difference = Math.abs((found[name] ?? NaN) - value);
          expect([benchmark.name, protocol, name, difference < 1e-9]).toEqual([benchmark.name, protocol, name, true]);
        }
      }
    }
  });

  (isThere ? test : test.skip)('Prec@0.5 by the boxes of pycocotools', () => {
    const { cases, figures } = ask();
    const rec = new RecMetric();
    for (const item of cases) {
      const { logits, target } = inputs(item);
      rec.add({ prediction: logits, target, answer: item.answer });
    }
    expect(rec.result().precision).toBeCloseTo(figures.rec['Prec@0.5'], 12);
  });

  (isThere && has('torch, torchmetrics') ? test : test.skip)(
    'IoU over all pixels, and of each mask, by torchmetrics',
    () => {
      const { cases, torchmetrics } = ask();
      expect(torchmetrics).not.toBeNull();
      const { cIoU } = figuresOf(RES, 'reference', cases);
      // torchmetrics computes in float32.
      expect(Math.abs((cIoU ?? NaN) - (torchmetrics?.cIoU ?? NaN))).toBeLessThan(1e-6);
      const ious = cases.flatMap((item) => {
        const { logits, target } = inputs(item);
        const overlap = maskOverlap(logits, target, 'logit > 0');
        return overlap.union === 0 ? [] : [iouOf(overlap)];
      });
      const mean = ious.reduce((sum, iou) => sum + iou, 0) / ious.length;
      expect(Math.abs(mean - (torchmetrics?.mean ?? NaN))).toBeLessThan(1e-6);
    },
  );
});
