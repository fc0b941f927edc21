/** One image as both encoders take it. */
import type { PreparedImage, RgbImage } from '../../types.js';
import { clipTransform, resizeLongestSide, samTransform } from './image-transforms.js';

/** Which of the encoders are to see an image. */
export interface EncoderNeeds {
  /** F_V1 */
  readonly clip: boolean;
  /** F_V2 */
  readonly sam: boolean;
}

/** An image for the encoders that need it: a PreparedImage where both do. */
export type PartlyPreparedImage = Pick<PreparedImage, 'resized' | 'original'> & {
  /** As a PreparedImage has it; null where the encoder does not need it. */
  readonly clipInput: Float32Array | null;
  readonly samInput: Float32Array | null;
};

/**
 * @param clipSize side of F_V1's input
 * @param samSize side of F_V2's input
 */
export function prepareImage(image: RgbImage, clipSize: number, samSize: number): PreparedImage {
  const sam = samTransform(image, samSize);
  return {
    clipInput: clipTransform(image, clipSize).data,
    samInput: sam.data,
    resized: [sam.height, sam.width],
    original: [image.height, image.width],
  };
}

/** The same for some of the encoders; F_V2's input takes three quarters of the time. */
export function prepareImageFor(
  needs: EncoderNeeds,
  image: RgbImage,
  clipSize: number,
  samSize: number,
): PartlyPreparedImage {
  return {
    clipInput: needs.clip ? clipTransform(image, clipSize).data : null,
    samInput: needs.sam ? samTransform(image, samSize).data : null,
    resized: resizeLongestSide(image.height, image.width, samSize),
    original: [image.height, image.width],
  };
}
