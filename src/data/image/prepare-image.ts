/** One image as the encoders take it. */
import type { PreparedImage, RgbImage } from '../../types.js';
import { clipTransform, resizeLongestSide, samTransform } from './image-transforms.js';

/** Input of an encoder as plain data: how a picture becomes a square [side, side, 3]. */
export interface EncoderInput {
  /** 'crop': shortest side resized, centre cropped (CLIP); 'pad': longest side resized, zero-padded (SAM). */
  readonly transform: 'crop' | 'pad';
  /** Pixels. */
  readonly side: number;
  /** Features that a conversation without masks can do without: 'masks'. */
  readonly neededFor: 'text' | 'masks';
}

/** Inputs of a system's encoders by name. */
export type Pictures = Readonly<Record<string, EncoderInput>>;

const TRANSFORMS = { crop: clipTransform, pad: samTransform } as const;

/** @param which encoders get an input; default all of them */
export function prepareImage(
  image: RgbImage,
  pictures: Pictures,
  which: ReadonlySet<string> = allEncoders(pictures),
): PreparedImage {
  const { height, width } = image;
  const wanted = Object.entries(pictures).filter(([name]) => which.has(name));
  const padded = Object.values(pictures).find(({ transform }) => transform === 'pad');
  return {
    inputs: Object.fromEntries(
      wanted.map(([name, { transform, side }]) => [name, TRANSFORMS[transform](image, side).data]),
    ),
    resized: padded === undefined ? [height, width] : resizeLongestSide(height, width, padded.side),
    original: [height, width],
  };
}

export function allEncoders(pictures: Pictures): ReadonlySet<string> {
  return new Set(Object.keys(pictures));
}

/** Encoders whose features a conversation in words needs. */
export function textEncoders(pictures: Pictures): ReadonlySet<string> {
  return new Set(Object.keys(pictures).filter((name) => pictures[name]?.neededFor === 'text'));
}
