/** Other targets of the image that a mask covers: instances that run together, or the wrong one of them. */
import { mergeRles, rleArea, type Rle } from '../../data/masks/coco-mask.js';

export interface OtherTarget {
  /** Place of that expression in the image's list. */
  readonly expression: number;
  /** Share of that target's pixels outside of one's own target that the prediction covers, in (0, 1]. */
  readonly share: number;
}

/**
 * The other target best covered outside of one's own; targets half inside of that do not count.
 * @param own place of it
 */
export function bestOtherTarget(prediction: Rle, targets: readonly Rle[], own: number): OtherTarget | null {
  const ownTarget = targets[own] as Rle;
  const shared = mergeRles([prediction, ownTarget], true);
  const predictedArea = rleArea(prediction);
  // Nothing was drawn outside of the own target.
  if (rleArea(shared) === predictedArea) return null;
  let best: OtherTarget | null = null;
  for (const [expression, target] of targets.entries()) {
    if (expression === own) continue;
    const area = rleArea(target);
    const elsewhere = area - overlap(target, ownTarget);
    if (area === 0 || elsewhere <= area / 2) continue;
    const share = (overlap(prediction, target) - overlap(shared, target)) / elsewhere;
    if (share > (best?.share ?? 0)) best = { expression, share };
  }
  return best;
}

function overlap(a: Rle, b: Rle): number {
  return rleArea(mergeRles([a, b], true));
}
