/**
 * Pictures of a failure in the manner of the paper's Figure 4: the image in its own colours, each target in a colour of
 * its own, and the image darkened where the requested target is absent.
 */
import { UserError } from '../../errors.js';
import type { BinaryMask, RgbImage } from '../../types.js';
import type { FailureScene } from './analysis-data.js';
import { displayScale, enlargeImage } from './enlarge.js';
import { type MaskLayer, overlayMasks } from './overlay.js';
import { expressionColor } from './palette.js';
import type { ReportSample } from './report-data.js';

export interface ScenePictures {
  readonly truth: RgbImage;
  readonly prediction: RgbImage;
}

export function drawScene({ failure, image, expressions }: FailureScene): ScenePictures {
  const backdrop = failure.record.targetIsEmpty ? 'dark' : 'natural';
  const draw = (masks: readonly (BinaryMask | null)[]): RgbImage => {
    const layers = masks.flatMap((mask, i) => (mask === null ? [] : [{ mask, color: expressionColor(i) }]));
    // The expression that failed comes last, over all others.
    return overlayMasks(image, layers.reverse(), { scale: displayScale(image), backdrop });
  };
  return {
    truth: draw(expressions.map(({ target }) => target)),
    prediction: draw(expressions.map(({ prediction, record }) => (record.answer === 'found' ? prediction : null))),
  };
}

/** Both next to each other, truth first, with a white strip between them. */
export function nextToEachOther({ truth, prediction }: ScenePictures, gap = 8): RgbImage {
  const { height, width } = truth;
  if (prediction.height !== height) throw new UserError('Drawing a failure: its pictures differ in size.');
  const total = 2 * width + gap;
  const data = new Uint8Array(height * total * 3).fill(255);
  for (let y = 0; y < height; y++) {
    const row = (image: RgbImage): Uint8Array => image.data.subarray(y * width * 3, (y + 1) * width * 3);
    data.set(row(truth), y * total * 3);
    data.set(row(prediction), (y * total + width + gap) * 3);
  }
  return { data, height, width: total };
}

/**
 * Truth and prediction of a failure next to each other; a second row shows the failing expression alone, where others
 * may cover it.
 */
export function drawSceneSheet(scene: FailureScene): RgbImage {
  const together = nextToEachOther(drawScene(scene));
  if (scene.expressions.length < 2) return together;
  const alone = nextToEachOther(drawScene({ ...scene, expressions: scene.expressions.slice(0, 1) }));
  return stacked(together, alone);
}

/** One above the other, with a white strip between them; both of one width. */
function stacked(above: RgbImage, below: RgbImage, gap = 8): RgbImage {
  const { width } = above;
  const height = above.height + gap + below.height;
  const data = new Uint8Array(height * width * 3).fill(255);
  data.set(above.data, 0);
  data.set(below.data, (above.height + gap) * width * 3);
  return { data, height, width };
}

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

/** The index in the list decides the colour, so that truth and prediction of an expression share it. */
function layers(masks: readonly (BinaryMask | null)[]): MaskLayer[] {
  return masks.flatMap((mask, index) => (mask === null ? [] : [{ mask, color: expressionColor(index) }]));
}
