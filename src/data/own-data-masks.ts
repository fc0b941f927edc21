/** Masks of a user's own data: the union of polygons, run-length encodings and PNG files. */
import { UserError } from '../errors.js';
import { readMaskPng } from '../io/mask-png.js';
import { annotationToRle } from './coco-mask-annotation.js';
import { type Rle, encodeMask, mergeRles } from './coco-mask.js';
import type { MaskSource } from './refer-sample.js';

/**
 * The union; empty without sources.
 * @throws UserError where a PNG cannot be read or is of another size than the image
 */
export function maskUnion(sources: readonly MaskSource[], height: number, width: number): Rle {
  const empty: Rle = { size: [height, width], counts: [height * width] };
  return mergeRles([empty, ...sources.map((source) => maskOf(source, height, width) ?? empty)]);
}

function maskOf(source: MaskSource, height: number, width: number): Rle | null {
  if ('segmentation' in source) return annotationToRle(source.segmentation, height, width);
  const mask = readMaskPng(source.png);
  if (mask.height === height && mask.width === width) return encodeMask(mask);
  throw new UserError(
    `The mask ${source.png} has ${mask.width} × ${mask.height} pixels, its image ${width} × ${height} (width × ` +
      'height). Save it at the size of the image.',
  );
}
