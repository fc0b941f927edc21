/**
 * Referring segmentation without rejection (RefCOCO, RefCOCO+, RefCOCOg, RefCLEF) and ReasonSeg: gIoU and cIoU as in
 * `validate` of the reference's solver.py. Tokens play no part; mask = logit > 0 (GRES has ≥ 0).
 */
import type { BinaryMask } from '../../types.js';
import { maskOverlap, ratio } from './mask-overlap.js';
import type { PredictedMask } from './mask-overlap.js';

/** The reference's guard against division by zero; on masks of a few pixels it shows in the sixth digit. */
const UNION_GUARD = 1e-5;

/** Fractions of 1; null without expressions, or, for cIoU, where all masks are empty. */
export interface ResResult {
  readonly gIoU: number | null;
  readonly cIoU: number | null;
  readonly expressions: number;
}

/** The share of an expression in gIoU; two empty masks count as 1. */
export function resIou({ intersection, union }: { readonly intersection: number; readonly union: number }): number {
  return union === 0 ? 1 : intersection / (union + UNION_GUARD);
}

/** Accumulates expressions; knows no model. */
export class ResMetric {
  private iouSum = 0;
  private intersectionSum = 0;
  private unionSum = 0;
  private expressions = 0;

  /**
   * Adds one expression and returns its IoU; two empty masks count as 1.
   * @throws UserError when the masks differ in size.
   */
  add(prediction: PredictedMask, target: BinaryMask): number {
    const { intersection, union } = maskOverlap(prediction, target, 'logit > 0');
    const iou = resIou({ intersection, union });
    this.iouSum += iou;
    this.intersectionSum += intersection;
    this.unionSum += union;
    this.expressions++;
    return iou;
  }

  result(): ResResult {
    return {
      gIoU: ratio(this.iouSum, this.expressions),
      cIoU: ratio(this.intersectionSum, this.unionSum),
      expressions: this.expressions,
    };
  }
}
