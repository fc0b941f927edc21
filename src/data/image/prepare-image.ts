/** One image as both encoders take it. */
import type { PreparedImage, RgbImage } from '../../types.js';
import { clipTransform, samTransform } from './image-transforms.js';

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
