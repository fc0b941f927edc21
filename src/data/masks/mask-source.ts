/**
 * Origin of an expression's mask as plain data, before the image is opened. The mask is the union of all sources;
 * without one, nothing in the image fits the expression.
 */
import { UserError, messageOf } from '../../errors.js';
import { readMaskPng } from '../../io/image/mask-png.js';
import { annotationToRle } from './coco-mask-annotation.js';
import { type Rle, encodeMask, mergeRles } from './coco-mask.js';

export type MaskSource =
  | {
      /** In COCO's form, unchecked; undefined where an annotation is referred to that does not exist. */
      readonly segmentation: unknown;
      /** Place for messages: "annotation 5 of /data/…/instances.json". */
      readonly origin?: string;
    }
  /** Path of a PNG of the image's size, not 0 inside. */
  | { readonly png: string };

/**
 * The union of the sources at the image's size; empty without any. Polygons without three points are dropped, as in the
 * reference, as long as others remain.
 * @param doing the current work, for messages
 * @throws UserError naming the source that is missing, malformed or empty
 */
export function unionOfSources(sources: readonly MaskSource[], height: number, width: number, doing: string): Rle {
  const empty: Rle = { size: [height, width], counts: [height * width] };
  const rles = sources.map((source) => rleOfSource(source, height, width, doing)).filter((rle) => rle !== null);
  const [first] = sources;
  if (first === undefined || rles.length > 0) return mergeRles([empty, ...rles]);
  throw new UserError(
    `${doing}: ${nameOf(first)} has no polygon with an even number of at least six coordinates. Correct it, or write ` +
      '[] where nothing is visible.',
  );
}

/** Null where every polygon is to be left out. */
function rleOfSource(source: MaskSource, height: number, width: number, doing: string): Rle | null {
  if ('segmentation' in source && source.segmentation === undefined) {
    throw new UserError(`${doing}: ${nameOf(source)} does not exist. Use both files of one release.`);
  }
  try {
    return 'png' in source ? rleOfPng(source.png, height, width) : annotationToRle(source.segmentation, height, width);
  } catch (error) {
    throw new UserError(`${doing}: ${nameOf(source)}: ${messageOf(error)}`);
  }
}

function rleOfPng(path: string, height: number, width: number): Rle {
  const mask = readMaskPng(path);
  if (mask.height === height && mask.width === width) return encodeMask(mask);
  throw new UserError(
    `it has ${mask.width} × ${mask.height} pixels, the image ${width} × ${height}. Save it at the size of the image.`,
  );
}

function nameOf(source: MaskSource): string {
  return 'png' in source ? source.png : (source.origin ?? 'its segmentation');
}
