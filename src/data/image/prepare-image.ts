/** One image as the encoders take it. */
import type { PreparedImage, RgbImage } from '../../types.js';
import { clipTransform, resizeLongestSide, samTransform } from './image-transforms.js';

/** Encoders by name; the features of `sam` are needed for masks alone. */
export const TEXT_ENCODERS: ReadonlySet<string> = new Set(['clip']);
export const ALL_ENCODERS: ReadonlySet<string> = new Set(['clip', 'sam']);

/**
 * @param clipSize side of F_V1's input
 * @param samSize side of F_V2's input, which takes three quarters of the time
 * @param which encoders get an input
 */
export function prepareImage(
  image: RgbImage,
  clipSize: number,
  samSize: number,
  which: ReadonlySet<string> = ALL_ENCODERS,
): PreparedImage {
  return {
    inputs: {
      ...(which.has('clip') ? { clip: clipTransform(image, clipSize).data } : {}),
      ...(which.has('sam') ? { sam: samTransform(image, samSize).data } : {}),
    },
    resized: resizeLongestSide(image.height, image.width, samSize),
    original: [image.height, image.width],
  };
}
