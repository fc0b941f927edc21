/** Faults of an annotation's `segmentation`. */
import { messageOf } from '../../errors.js';
import { annotationToRle } from '../masks/coco-mask-annotation.js';
import { rleArea } from '../masks/coco-mask.js';

/** Three points with x and y. */
const LEAST_COORDINATES = 6;

/** Fault in words, null for a sound mask. An empty list means "no pixel" on purpose (Ref-ZOM, RefCLEF). */
export function maskFault(segmentation: unknown, height: number, width: number): string | null {
  if (Array.isArray(segmentation)) {
    if (segmentation.length === 0) return null;
    const bad = segmentation.find(
      (part: unknown) => Array.isArray(part) && (part.length % 2 !== 0 || part.length < LEAST_COORDINATES),
    ) as unknown[] | undefined;
    if (bad !== undefined) {
      return bad.length % 2 === 0
        ? `a polygon has ${bad.length / 2} points; expected 3 or more`
        : `a polygon has ${bad.length} coordinates, an odd number`;
    }
  }
  try {
    const rle = annotationToRle(segmentation, height, width);
    return rle !== null && rleArea(rle) > 0 ? null : 'it has no pixel inside of the image';
  } catch (error) {
    return messageOf(error);
  }
}
