/**
 * Masks, boxes and every figure beside implementations that are not ours: pycocotools and numpy, and torchmetrics where
 * it is installed (PYTHONPATH may point to all of them; `.ci/masks` does so). Skipped where python3 has them not.
 */
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { encodeMask, rleArea, rleBox } from '../../../src/data/masks/coco-mask.js';
import { type Benchmark, GRES, REF_ZOM, RES, SEM_SEG } from '../../../src/evaluation/benchmarks/benchmarks.js';
import type { FigureValues } from '../../../src/evaluation/figures.js';
import type { GresProtocol } from '../../../src/evaluation/metrics/gres-score.js';
import { iouOf, maskOverlap, boxOfMask } from '../../../src/evaluation/metrics/mask-overlap.js';
import { binaryMask } from '../../../src/inference/segment-result.js';
import { type Prediction, resultOfPredictions } from '../../../src/verification/metrics.js';

interface Case {
  readonly height: number;
  readonly width: number;
  readonly class: number;
  readonly answer: 'found' | 'absent';
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

function predictionOf({ class: number, height, width, target, logits, answer }: Case): Prediction {
  return {
    expression: `class ${number}`,
    logits: { data: Float32Array.from(new Int8Array(Buffer.from(logits, 'hex'))), height, width },
    target: { data: Uint8Array.from(Buffer.from(target, 'hex')), height, width },
    answer,
  };
}

function figuresOf(benchmark: Benchmark, protocol: GresProtocol, cases: readonly Case[]): FigureValues {
  return resultOfPredictions(benchmark, protocol, cases.map(predictionOf)).figures;
}

describe('10,000 random masks', () => {
  const isThere = has('numpy, pycocotools.mask');

  (isThere ? test : test.skip)('IoU, area and box of each are those of pycocotools', () => {
    for (const item of ask().cases) {
      const { logits, target } = predictionOf(item);
      const mask = binaryMask(logits);
      const overlap = maskOverlap(mask, target);
      const [xMin, yMin, xMax, yMax] = boxOfMask(mask) ?? [0, 0, 0, 0];
      const rle = encodeMask(mask);
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
    const found = figuresOf(RES, 'strict', cases)['Prec@0.5'];
    expect(found).toBeCloseTo(figures.rec['Prec@0.5'], 12);
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
        const { logits, target } = predictionOf(item);
        const overlap = maskOverlap(binaryMask(logits, RES.logitRule), target);
        return overlap.union === 0 ? [] : [iouOf(overlap)];
      });
      const mean = ious.reduce((sum, iou) => sum + iou, 0) / ious.length;
      expect(Math.abs(mean - (torchmetrics?.mean ?? NaN))).toBeLessThan(1e-6);
    },
  );
});
