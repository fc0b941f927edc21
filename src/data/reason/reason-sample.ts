/**
 * Training samples of ReasonSeg (reference: ReasonSegDataset): each text of an image is a conversation of its own, for
 * the same mask. Where the image has an explanation, the answer is the mask, mask and explanation, or, in one of ten,
 * the explanation alone.
 */
import { UserError } from '../../errors.js';
import { readImage, readImageSize } from '../../io/image/image-file.js';
import { explainedTurn, explanationMode } from '../text/prompts.js';
import { readReasonAnnotation, reasonMasks } from './reason-annotation.js';
import type { MakeSample, RequestOf } from '../sampling/training-sample.js';

export interface ReasonRequest extends RequestOf<'reason_seg'> {
  /** Path of the image's JSON file. */
  readonly annotation: string;
  /** Null where there is none. */
  readonly explanation: string | null;
}

/** Draws up to `perSample` texts. What the annotation says to ignore is not in the mask. */
export const makeReasonSample: MakeSample<ReasonRequest> = async (request, random, { perSample }) => {
  const annotation = readReasonAnnotation(request.annotation);
  const { height, width } = await readImageSize(request.image);
  const { target: mask } = reasonMasks(annotation, height, width);
  if (!mask.data.includes(1)) {
    throw new UserError(
      `Making a sample of ${request.set}: no shape of ${request.annotation} leaves a target in ${request.image}. ` +
        'Correct it or leave the image out.',
    );
  }
  const texts = random.sample(annotation.texts, perSample);
  const mode = request.explanation === null ? 'mask' : explanationMode(random);
  const [first, ...others] = texts.map((text) => ({
    turns: [explainedTurn(random, mode, text, annotation.isSentence, request.explanation ?? '')],
    targets: mode === 'explanation' ? [] : [{ text, mask }],
  }));
  if (first === undefined) throw new Error(`makeReasonSample: perSample is ${perSample}`);
  return { image: () => readImage(request.image), ...first, others };
};
