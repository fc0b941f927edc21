/**
 * Training samples of referring segmentation (reference: ReferSegDataset): one question about some of an image's
 * expressions, and an answer with [SEG] for each that is there and [REJ] for each that is not.
 */
import { UserError } from '../../errors.js';
import { readImage, readImageSize } from '../../io/image/image-file.js';
import { decodeMask, rleArea } from '../masks/coco-mask.js';
import { sizeMismatch } from '../image/size-mismatch.js';
import { type MaskSource, unionOfSources } from '../masks/mask-source.js';
import type { MakeSample, RequestOf, SampleTarget } from '../sampling/training-sample.js';
import { segmentConversations } from '../sampling/segment-conversations.js';
import { cleanExpression } from '../text/prompts.js';

export type { MaskSource } from '../masks/mask-source.js';

export interface ReferRequest extends RequestOf<'refer_seg'> {
  /** Of the image as it is decoded. */
  readonly height: number;
  readonly width: number;
  readonly expressions: readonly {
    readonly text: string;
    /** The expression's mask is their union; none where nothing in the image fits it. */
    readonly masks: readonly MaskSource[];
  }[];
}

/** Draws up to `perSample` expressions. Null where none of them is in the image, unless that is accepted. */
export const makeReferSample: MakeSample<ReferRequest> = async (
  request,
  random,
  { perSample, acceptAllAbsent = false, variant },
) => {
  const { set, image: path, height, width } = request;
  const targets: SampleTarget[] = [];
  for (const { text, masks } of random.sample(request.expressions, perSample)) {
    const cleaned = cleanExpression(text);
    const doing = `Making a sample of ${set}, ${path}, the expression ${JSON.stringify(text)}`;
    if (cleaned === '') throw new UserError(`${doing}: it is empty. Say what to segment.`);
    const rle = unionOfSources(masks, height, width, doing);
    targets.push({ text: cleaned, mask: rleArea(rle) === 0 ? null : decodeMask(rle) });
  }
  // A variant without [REJ] could learn from these too, but all are given the same draws.
  if (targets.every(({ mask }) => mask === null) && !acceptAllAbsent) return null;
  const [first, ...others] = segmentConversations(random, targets, 'res', request, variant);
  const size = await readImageSize(path);
  if (size.height !== height || size.width !== width) {
    const fault = await sizeMismatch(path, size, { height, width }, 'its annotations are for');
    throw new UserError(`Making a sample of ${set}: ${path}: ${fault}.`);
  }
  return { image: () => readImage(path), ...first, ...(others.length === 0 ? {} : { others }) };
};
