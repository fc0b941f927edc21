/** Training samples of ReasonSeg (reference: ReasonSegDataset): some of an image's texts, all for the same mask. */
import { UserError } from '../../errors.js';
import { readImage, readImageSize } from '../../io/image/image-file.js';
import { readReasonAnnotation, reasonMasks } from './reason-annotation.js';
import { targetFacts } from '../facts.js';
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
  const wording = annotation.isSentence ? 'sentence' : 'expression';
  const targets = random.sample(annotation.texts, perSample).map((text) => ({ text, wording, mask }) as const);
  const { explanation } = request;
  const facts = { ...targetFacts('reason_seg', mask, targets), explanation };
  return { image: () => readImage(request.image), facts };
};
