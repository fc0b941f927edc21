/** Plain data shared by all parts. No TensorFlow.js here. */

/** An image as decoded: 8-bit RGB, row by row. `data.length === height * width * 3`. */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  /** File that it was decoded from, where it is known: the pixels are those of the file, unchanged. */
  readonly path?: string;
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

/** [xMin, yMin, xMax, yMax] in pixels, max exclusive. */
export type Box = readonly [number, number, number, number];

/** [SEG], and its mask has pixels. */
export interface Segmented {
  readonly status: 'segmented';
  /** Binary mask at the image's size, with at least one pixel inside. */
  readonly mask: BinaryMask;
  readonly box: Box;
  /** Pixels inside the mask, at least 1. */
  readonly area: number;
  /** Mean sigmoid of the mask logits over the pixels inside the mask, in [0.5, 1]. */
  readonly score: number;
  /** Probability of [REJ] against [SEG] at the deciding position, in [0, 1]; null for models without [REJ]. */
  readonly rejectProbability: number | null;
}

/** [SEG], but not one pixel of its mask is inside: neither found nor rejected. */
export interface EmptyMask {
  readonly status: 'empty-mask';
  /** Binary mask at the image's size, all 0. */
  readonly mask: BinaryMask;
  readonly box: null;
  readonly area: 0;
  readonly score: 0;
  /** As for 'segmented'. */
  readonly rejectProbability: number | null;
}

/** [REJ]: by the model's answer, nothing in the image fits. */
export interface Rejected extends Omit<EmptyMask, 'status' | 'mask'> {
  readonly status: 'rejected';
  readonly mask: null;
}

/** A freely written answer has no [SEG] or [REJ] for the expression. */
export interface NotAnswered extends Omit<Rejected, 'status'> {
  readonly status: 'no-seg-token';
  readonly rejectProbability: null;
}

/** The finding for one expression; `status` decides which other fields are set. */
export type Finding = Segmented | EmptyMask | Rejected | NotAnswered;

/** Where the token decision for one expression ended. */
export type SegmentStatus = Finding['status'];

/** The model's answer about one expression. */
export type SegmentResult = Finding & { readonly expression: string };

/** A [SEG] or [REJ] of a freely written answer that answers no expression, or one that has its answer already. */
export type UnmatchedPart = (Segmented | EmptyMask | Rejected) & {
  /** Text that the model wrote before the token, since the one before it. */
  readonly text: string;
  /** The expression that the part names a second time; null where it names nothing that was asked. */
  readonly repeats: string | null;
};

/** Arrays by encoder name. */
export type Arrays = Readonly<Record<string, Float32Array>>;

/** Tiles into which a picture is cut, row by row. */
export interface TileGrid {
  readonly columns: number;
  readonly rows: number;
}

export interface ImageSize {
  /** [height, width] of the image inside the square input of the encoder for masks. */
  readonly resized: readonly [number, number];
  /** [height, width] of the image file. */
  readonly original: readonly [number, number];
  /** Tiles of the image, without its thumbnail; absent where no encoder takes tiles. */
  readonly grid?: TileGrid;
}

/** An image transformed for the encoders that need it. */
export interface PreparedImage extends ImageSize {
  /**
   * Inputs by encoder [S, S, 3], normalised; for SAM zero-padded right and below; [tiles, S, S, 3] for one that takes
   * tiles. Absent where one is not needed.
   */
  readonly inputs: Arrays;
}
