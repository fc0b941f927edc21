/** Plain data shared by all parts. No TensorFlow.js here. */

/** An image as decoded: 8-bit RGB, row by row. `data.length === height * width * 3`. */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
}

/** A binary mask in image order (row-major): 1 inside, 0 outside. `data.length === height * width`. */
export interface BinaryMask {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
}

/** Which mask logits are inside. The reference uses ≥ 0 for GRES and > 0 for RES. */
export type LogitRule = 'logit >= 0' | 'logit > 0';

/** One expression with its ground truth: `mask` is all zero when `isEmpty` (nothing in the image fits it). */
export interface ReferringTarget {
  readonly expression: string;
  readonly isEmpty: boolean;
  readonly mask: BinaryMask;
}

/** Where the token decision for one expression ended. */
export type SegmentStatus = 'segmented' | 'rejected' | 'no-seg-token';

/** What the model says about one expression. */
export interface SegmentResult {
  readonly expression: string;
  readonly status: SegmentStatus;
  /** Binary mask at the image's size; null unless `status` is 'segmented'. */
  readonly mask: BinaryMask | null;
  /** [xMin, yMin, xMax, yMax] in pixels, max exclusive; null without a mask or when the mask is empty. */
  readonly box: readonly [number, number, number, number] | null;
  /** Pixels inside the mask. */
  readonly area: number;
  /** Mean sigmoid of the mask logits over the pixels inside the mask, 0 when empty. */
  readonly score: number;
  /** Probability of [REJ] against [SEG] at the deciding position, in [0, 1]; null when neither was asked for. */
  readonly rejectProbability: number | null;
}

/** An image transformed for both encoders. */
export interface PreparedImage {
  /** F_V1's input [S, S, 3], normalised. */
  readonly clipInput: Float32Array;
  /** F_V2's input [S, S, 3], normalised, zero-padded right and below. */
  readonly samInput: Float32Array;
  /** [height, width] of the image inside F_V2's input. */
  readonly resized: readonly [number, number];
  /** [height, width] of the image file. */
  readonly original: readonly [number, number];
}
