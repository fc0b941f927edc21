/**
 * Inputs of the vision encoders from a decoded image, as the published implementations prepare them: F_V1 (CLIP):
 * Hugging Face's CLIPImageProcessor; F_V2 (SAM): ResizeLongestSide and the padding of `Sam.preprocess`; InternViT:
 * InternVL's `build_transform`. All are NHWC without the batch: [size, size, 3].
 */
import type { RgbImage } from '../../types.js';
import { resizePillow } from './pillow-resample.js';
import type { Size } from './size-mismatch.js';

export const CLIP_MEAN: readonly [number, number, number] = [0.48145466, 0.4578275, 0.40821073];
export const CLIP_STD: readonly [number, number, number] = [0.26862954, 0.26130258, 0.27577711];
/** In grey levels, 0 to 255. */
export const SAM_MEAN: readonly [number, number, number] = [123.675, 116.28, 103.53];
export const SAM_STD: readonly [number, number, number] = [58.395, 57.12, 57.375];

/** ImageNet's, which InternViT takes. */
export const IMAGENET_MEAN: readonly [number, number, number] = [0.485, 0.456, 0.406];
export const IMAGENET_STD: readonly [number, number, number] = [0.229, 0.224, 0.225];

/** The size after scaling the longest side to `size`, halves rounded up: [height, width]. */
export function resizeLongestSide(height: number, width: number, size: number): [number, number] {
  const scale = size / Math.max(height, width);
  const scaled = (side: number): number => Math.max(1, Math.floor(side * scale + 0.5));
  return [scaled(height), scaled(width)];
}

/** The image with its longest side at `size` pixels (bilinear, antialiased), not padded. */
export function resizeForSam(image: RgbImage, size: number): RgbImage {
  return resizePillow(image, ...resizeLongestSide(image.height, image.width, size), 'bilinear');
}

/** The image with its shortest side at `size` pixels (bicubic; the other side truncated), its centre cut out. */
export function resizeForClip(image: RgbImage, size: number): RgbImage {
  const longest = Math.trunc((size * Math.max(image.height, image.width)) / Math.min(image.height, image.width));
  const [height, width] = image.height <= image.width ? [size, longest] : [longest, size];
  return cropCentre(resizePillow(image, height, width, 'bicubic'), size);
}

function cropCentre(image: RgbImage, size: number): RgbImage {
  return cropSquare(image, Math.floor((image.height - size) / 2), Math.floor((image.width - size) / 2), size);
}

/** The square of `size` pixels whose upper left corner is at [top, left], inside the image. */
export function cropSquare(image: RgbImage, top: number, left: number, size: number): RgbImage {
  const data = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    const from = ((top + y) * image.width + left) * 3;
    data.set(image.data.subarray(from, from + size * 3), y * size * 3);
  }
  return { data, height: size, width: size };
}

/** Input of F_V1 for a square of `size` pixels: [size, size, 3], normalised by CLIP's mean and standard deviation. */
export function clipTransform(image: RgbImage, size: number): { readonly data: Float32Array } {
  return { data: normalisedSquare(size, resizeForClip(image, size), 255, CLIP_MEAN, CLIP_STD) };
}

/**
 * Input of F_V2 for a square of `size` pixels: [size, size, 3], normalised, zero to the right of `width` and below
 * `height`, the size of the resized image inside the square.
 */
export function samTransform(image: RgbImage, size: number): { readonly data: Float32Array } & Size {
  const resized = resizeForSam(image, size);
  const { height, width } = resized;
  return { data: normalisedSquare(size, resized, 1, SAM_MEAN, SAM_STD), height, width };
}

/** The image squeezed to `size` x `size` pixels (bicubic, antialiased), whatever its shape. */
export function resizeSquashed(image: RgbImage, size: number): RgbImage {
  return resizePillow(image, size, size, 'bicubic');
}

/** Input of InternViT for a square of `size` pixels: [size, size, 3], normalised by ImageNet's mean and deviation. */
export function squashTransform(image: RgbImage, size: number): { readonly data: Float32Array } {
  return { data: normalisedImagenet(resizeSquashed(image, size)) };
}

/** A square picture [size, size, 3], normalised by ImageNet's mean and standard deviation. */
export function normalisedImagenet(square: RgbImage): Float32Array {
  return normalisedSquare(square.height, square, 255, IMAGENET_MEAN, IMAGENET_STD);
}

/** The normalised image in the upper left of a [size, size, 3] square of zeros. @param unit grey levels that make 1 */
function normalisedSquare(
  size: number,
  image: RgbImage,
  unit: number,
  mean: readonly number[],
  deviation: readonly number[],
): Float32Array {
  const target = new Float32Array(size * size * 3);
  // A grey level has one of 256 values per channel: look-up instead of arithmetic for each pixel.
  const table = Float32Array.from({ length: 256 * 3 }, (_, i) => {
    return (Math.floor(i / 3) / unit - (mean[i % 3] as number)) / (deviation[i % 3] as number);
  });
  for (let y = 0; y < image.height; y++) {
    let from = y * image.width * 3;
    let to = y * size * 3;
    for (let x = 0; x < image.width; x++) {
      target[to] = table[(image.data[from] as number) * 3] as number;
      target[to + 1] = table[(image.data[from + 1] as number) * 3 + 1] as number;
      target[to + 2] = table[(image.data[from + 2] as number) * 3 + 2] as number;
      from += 3;
      to += 3;
    }
  }
  return target;
}
