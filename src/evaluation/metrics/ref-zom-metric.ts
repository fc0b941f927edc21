/**
 * Ref-ZOM (one, several or no target per expression), by the two readings that exist:
 *
 *   as reported  what the published solver.py prints when run on Ref-ZOM: gIoU over all expressions under the name
 *                mIoU, and oIoU as cIoU without the areas of wrongly answered absent targets; a wrongly rejected
 *                present target keeps its mask. N-acc and T-acc as in GRES.
 *   paper        what the GSVA paper and the Ref-ZOM authors define: mIoU and oIoU over expressions that have a target,
 *                a rejected one having an empty mask; Acc over expressions without a target: 1 when the predicted
 *                mask is all zero, by [REJ] or by its logits.
 */
import { GresMetric } from './gres-metric.js';
import type { GresPrediction } from './gres-metric.js';
import { iouOf, maskOverlap, ratio } from './mask-overlap.js';

/** Fractions of 1; null where no expression decides the figure. */
export interface RefZomReportedResult {
  readonly mIoU: number | null;
  readonly oIoU: number | null;
  readonly N_acc: number | null;
  readonly T_acc: number | null;
  readonly expressions: number;
}

/** The reference's own figures; predictions as `GresMetric('reference')` takes them. */
export class RefZomReportedMetric {
  private readonly gres = new GresMetric('reference');
  private intersectionSum = 0;
  private unionSum = 0;

  add(expression: GresPrediction): void {
    const score = this.gres.add(expression);
    if (score.targetIsEmpty) return;
    this.intersectionSum += score.intersection;
    this.unionSum += score.union;
  }

  result(): RefZomReportedResult {
    const { gIoU, N_acc, T_acc, expressions } = this.gres.result();
    return { mIoU: gIoU, oIoU: ratio(this.intersectionSum, this.unionSum), N_acc, T_acc, expressions };
  }
}

/** Fractions of 1; null where no expression decides the figure. */
export interface RefZomResult {
  readonly mIoU: number | null;
  readonly oIoU: number | null;
  readonly Acc: number | null;
  readonly expressions: number;
}

/** The paper's figures. */
export class RefZomMetric {
  private iouSum = 0;
  private intersectionSum = 0;
  private unionSum = 0;
  private present = 0;
  private absent = 0;
  private absentRight = 0;

  /** @throws UserError when the masks differ in size. */
  add({ prediction, target, answer }: GresPrediction): void {
    const overlap = maskOverlap(answer === 'seg' ? prediction : null, target);
    if (overlap.targetArea === 0) {
      this.absent++;
      if (overlap.predictedArea === 0) this.absentRight++;
      return;
    }
    this.present++;
    this.iouSum += iouOf(overlap);
    this.intersectionSum += overlap.intersection;
    this.unionSum += overlap.union;
  }

  result(): RefZomResult {
    return {
      mIoU: ratio(this.iouSum, this.present),
      oIoU: ratio(this.intersectionSum, this.unionSum),
      Acc: ratio(this.absentRight, this.absent),
      expressions: this.present + this.absent,
    };
  }
}
