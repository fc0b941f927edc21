/**
 * Referring expression comprehension from masks (GSVA paper, table 6): the box around the predicted mask against the
 * box around the target, a hit when their IoU is greater than 0.5. Expressions without a target do not count; a
 * rejected expression has an empty mask and with it no box, which is a miss.
 */
import type { GresPrediction } from './gres-metric.js';
import { insideTest, maskOverlap, ratio } from './mask-overlap.js';
import type { PredictedMask } from './mask-overlap.js';

/** [xMin, yMin, xMax, yMax] in pixels, max exclusive. */
export type Box = readonly [number, number, number, number];

export const HIT_ABOVE = 0.5;

/** The smallest box around a mask (logits: ≥ 0 is inside), null when it is empty. */
export function boxOfMask(mask: PredictedMask): Box | null {
  if (mask === null) return null;
  const inside = insideTest(mask, 'logit >= 0');
  let xMin = mask.width;
  let yMin = mask.height;
  let xMax = 0;
  let yMax = 0;
  for (let y = 0; y < mask.height; y++) {
    for (let x = 0; x < mask.width; x++) {
      if (!inside(y * mask.width + x)) continue;
      xMin = Math.min(xMin, x);
      xMax = Math.max(xMax, x + 1);
      yMin = Math.min(yMin, y);
      yMax = y + 1;
    }
  }
  return xMax === 0 ? null : [xMin, yMin, xMax, yMax];
}

/** Intersection over union of two boxes, in [0, 1]. */
export function boxIou(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const intersection = width * height;
  return intersection / (boxArea(a) + boxArea(b) - intersection);
}

function boxArea(box: Box): number {
  return (box[2] - box[0]) * (box[3] - box[1]);
}

/** `precision` is Prec@0.5 as a fraction of 1, null without targets. */
export interface RecResult {
  readonly precision: number | null;
  readonly hits: number;
  readonly targets: number;
}

/** Accumulates expressions; knows no model. */
export class RecMetric {
  private hits = 0;
  private targets = 0;

  /** @throws UserError when the masks differ in size. */
  add({ prediction, target, answer }: GresPrediction): void {
    const mask = answer === 'seg' ? prediction : null;
    if (maskOverlap(mask, target).targetArea === 0) return;
    this.targets++;
    const targetBox = boxOfMask(target);
    const predictedBox = boxOfMask(mask);
    if (targetBox === null || predictedBox === null) return;
    if (boxIou(predictedBox, targetBox) > HIT_ABOVE) this.hits++;
  }

  result(): RecResult {
    return { precision: ratio(this.hits, this.targets), hits: this.hits, targets: this.targets };
  }
}
