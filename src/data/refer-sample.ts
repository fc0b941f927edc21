/** Requests of referring segmentation. (Types only until the samples land.) */
import type { RequestOf } from './training-sample.js';

/** What a mask is made of. */
export type MaskSource =
  /** As COCO has it: polygons, or a run-length encoding, or a list of these. */
  | { readonly segmentation: unknown }
  /** Path of a PNG of the image's size, not 0 inside. */
  | { readonly png: string };

export interface ReferRequest extends RequestOf<'refer_seg'> {
  readonly height: number;
  readonly width: number;
  /** Without masks: nothing in the image fits. */
  readonly expressions: readonly { readonly text: string; readonly masks: readonly MaskSource[] }[];
}
