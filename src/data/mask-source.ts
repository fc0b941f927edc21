/**
 * Where the mask of an expression comes from, as plain data: what is known before the image is looked at. An expression
 * has any number of them, and its mask is their union; without one, nothing in the image fits it.
 */
import { readImage } from '../io/image-file.js';
import { UserError, messageOf } from '../errors.js';
import type { BinaryMask } from '../types.js';
import { annotationToRle } from './coco-mask-annotation.js';
import { type Rle, decodeMask, mergeRles } from './coco-mask.js';

/** What stands in an annotation file. */
export type SegmentationSource =
  | {
      /** In COCO's form, unchecked. */
      readonly segmentation: unknown;
      /** Where it stands, for messages: "annotation 5 of /data/…/instances.json". */
      readonly origin?: string;
    }
  /** An annotation that is referred to and does not exist; as `origin`. */
  | { readonly missing: string };

export type MaskSource =
  | SegmentationSource
  /** Path of a mask as a picture of the image's size, 8 bits, not black inside. */
  | { readonly png: string };

/**
 * The union of the sources at the image's size; empty where there are none. Of a polygon without three points nothing
 * is taken, as in the reference, as long as others remain.
 * @param doing what is being done, for messages
 * @throws UserError naming the source that is missing or malformed, or of which nothing remains
 */
export async function maskOfSources(
  sources: readonly MaskSource[],
  height: number,
  width: number,
  doing: string,
): Promise<BinaryMask> {
  const pngs = sources.filter((source) => 'png' in source);
  const others = sources.filter((source): source is SegmentationSource => !('png' in source));
  const mask = decodeMask(unionOfSources(others, height, width, doing));
  for (const { png } of pngs) await addPng(mask, png, doing);
  return mask;
}

/** As `maskOfSources`, of annotations alone. */
export function unionOfSources(
  sources: readonly SegmentationSource[],
  height: number,
  width: number,
  doing: string,
): Rle {
  const empty: Rle = { size: [height, width], counts: [height * width] };
  const rles = sources.map((source) => rleOfSource(source, height, width, doing)).filter((rle) => rle !== null);
  const [first] = sources;
  if (first !== undefined && rles.length === 0) {
    throw new UserError(
      `${doing}: ${originOf(first)} has no polygon with an even number of at least six coordinates. ` +
        'Correct it, or write [] where nothing is visible.',
    );
  }
  return mergeRles([empty, ...rles]);
}

function rleOfSource(source: SegmentationSource, height: number, width: number, doing: string): Rle | null {
  if ('missing' in source) {
    throw new UserError(`${doing}: ${source.missing} does not exist. Use both files of one release.`);
  }
  try {
    return annotationToRle(source.segmentation, height, width);
  } catch (error) {
    throw new UserError(`${doing}: ${originOf(source)}: ${messageOf(error)}`);
  }
}

function originOf(source: SegmentationSource): string {
  if ('missing' in source) return source.missing;
  return source.origin ?? 'the segmentation';
}

async function addPng(mask: BinaryMask, path: string, doing: string): Promise<void> {
  const { data, height, width } = await readImage(path);
  if (height !== mask.height || width !== mask.width) {
    throw new UserError(
      `${doing}: the mask ${path} has ${width} × ${height} pixels, the image ${mask.width} × ${mask.height}; ` +
        'expected the same size.',
    );
  }
  for (let i = 0; i < mask.data.length; i++) {
    if (data[3 * i] !== 0 || data[3 * i + 1] !== 0 || data[3 * i + 2] !== 0) mask.data[i] = 1;
  }
}
