/** Training samples of referring segmentation (reference: ReferSegDataset): some of an image's expressions. */
import { UserError } from '../../errors.js';
import { readImage, readImageSize } from '../../io/image/image-file.js';
import { type Target, targetFacts } from '../facts.js';
import { sizeMismatch } from '../image/size-mismatch.js';
import { decodeMask, rleArea } from '../masks/coco-mask.js';
import { type MaskSource, unionOfSources } from '../masks/mask-source.js';
import type { MakeSample, RequestOf } from '../sampling/training-sample.js';
import { cleanExpression } from '../text/expression.js';

export type { MaskSource } from '../masks/mask-source.js';

export interface ReferRequest extends RequestOf<'refer_seg'> {
  /** Size of the image as it is decoded. */
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
  { perSample, acceptAllAbsent = false },
) => {
  const { set, image: path, height, width } = request;
  const targets: Target[] = [];
  for (const { text, masks } of random.sample(request.expressions, perSample)) {
    const doing = `Making a sample of ${set}, ${path}, the expression ${JSON.stringify(text)}`;
    if (cleanExpression(text) === '') throw new UserError(`${doing}: it is empty. Say what to segment.`);
    const rle = unionOfSources(masks, height, width, doing);
    targets.push({ text, wording: 'expression', mask: rleArea(rle) === 0 ? null : decodeMask(rle) });
  }
  // A system without a word for "absent" could learn from these too, but all are given the same draws.
  if (targets.every(({ mask }) => mask === null) && !acceptAllAbsent) return null;
  const size = await readImageSize(path);
  if (size.height !== height || size.width !== width) {
    const fault = await sizeMismatch(path, size, { height, width }, 'its annotations are for');
    throw new UserError(`Making a sample of ${set}: ${path}: ${fault}.`);
  }
  return { image: () => readImage(path), facts: targetFacts('refer_seg', request, targets) };
};
