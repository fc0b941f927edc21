/** The pictures of one sample: the image, the ground truth and the prediction, each expression in its colour. */
import type { BinaryMask, RgbImage } from '../../types.js';
import { displayScale, enlargeImage } from './enlarge.js';
import { type MaskLayer, overlayMasks } from './overlay.js';
import { expressionColor } from './palette.js';
import type { ReportSample } from './report-data.js';

export interface SamplePictures {
  readonly image: RgbImage;
  /** Null without ground truth. */
  readonly truth: RgbImage | null;
  readonly prediction: RgbImage;
}

/** Draws them, small images enlarged. */
export function drawSample(sample: ReportSample, scale: number = displayScale(sample.image)): SamplePictures {
  const draw = (masks: readonly (BinaryMask | null)[]): RgbImage =>
    overlayMasks(sample.image, layers(masks), { scale });
  return {
    image: enlargeImage(sample.image, scale),
    truth: sample.targets.length === 0 ? null : draw(sample.targets.map((target) => target.mask)),
    prediction: draw(sample.results.map((result) => result.mask)),
  };
}

/** The colour goes by the place in the list, so that truth and prediction of an expression share it. */
function layers(masks: readonly (BinaryMask | null)[]): MaskLayer[] {
  return masks.flatMap((mask, index) => (mask === null ? [] : [{ mask, color: expressionColor(index) }]));
}
