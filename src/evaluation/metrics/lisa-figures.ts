/**
 * gIoU and cIoU as LISA's validation computes them (`validate` of train_ds.py), on masks whose logits are above 0:
 *
 *   gIoU  mean over masks of intersection / (union + 1e-5), plus 1 where the union is empty
 *   cIoU  Σ intersection / (Σ union + 1e-10)
 *
 * The small terms belong to the published figures; without them gIoU is higher by about 0.001 %.
 */
import type { MaskOverlap } from './mask-overlap.js';

const PER_MASK = 1e-5;
const PER_SUM = 1e-10;
/** The reference's meter adds it to the number of masks. */
const PER_COUNT = 1e-5;

export interface LisaFigures {
  readonly gIoU: number;
  readonly cIoU: number;
}

/** @param overlaps of all masks, ignored pixels left out of them */
export function lisaFigures(overlaps: readonly Pick<MaskOverlap, 'intersection' | 'union'>[]): LisaFigures {
  let [iou, intersections, unions] = [0, 0, 0];
  for (const { intersection, union } of overlaps) {
    iou += intersection / (union + PER_MASK) + (union === 0 ? 1 : 0);
    intersections += intersection;
    unions += union;
  }
  // The reference gathers its sums in float32.
  const [iouSum, intersectionSum, unionSum] = [iou, intersections, unions].map(Math.fround) as [number, number, number];
  return { gIoU: iouSum / (overlaps.length + PER_COUNT), cIoU: intersectionSum / (unionSum + PER_SUM) };
}
