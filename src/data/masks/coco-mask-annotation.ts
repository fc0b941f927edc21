/**
 * Mask of a COCO annotation's `segmentation`: a list of polygons, a run-length encoding ({ size, counts }, the counts a
 * list or a compressed text), or a list of such encodings (RefCLEF); and of an expression, from several sources.
 */
import { UserError, messageOf } from '../../errors.js';
import { readMaskPng } from '../../io/image/mask-png.js';
import {
  type Rle,
  checkMaskSize,
  emptyRle,
  encodeMask,
  mergeRles,
  rleFromCounts,
  rleFromString,
  shown,
} from './coco-mask.js';
import { polygonToRle } from './coco-mask-polygon.js';

/** Three points, the fewest that enclose anything. */
const MIN_COORDINATES = 6;
/** Bounds the time that one hostile annotation can take. */
const MAX_PARTS = 10_000;

/**
 * The mask of one annotation: the union of its parts, empty for an empty list. Polygons with an odd number of
 * coordinates or fewer than three points are left out, as in the reference; null where no polygon remains, which the
 * reference takes as "ignore this instance".
 * @throws UserError where the segmentation is malformed or of another size than the image
 */
export function annotationToRle(segmentation: unknown, height: number, width: number): Rle | null {
  checkMaskSize(height, width);
  if (!Array.isArray(segmentation)) return rleOf(segmentation, height, width);
  const parts: readonly unknown[] = segmentation;
  if (parts.length === 0) return emptyRle(height, width);
  if (parts.length > MAX_PARTS) throw malformed(`a list of ${parts.length} parts`);
  const rles: Rle[] = [];
  for (const part of parts) {
    if (!Array.isArray(part)) rles.push(rleOf(part, height, width));
    else if (isPolygon(part)) rles.push(polygonToRle(numbers(part), height, width));
  }
  return rles.length === 0 ? null : mergeRles(rles);
}

/** Whether coordinates x, y, x, y, … are of three points or more. */
export function isPolygon(coordinates: readonly unknown[]): boolean {
  return coordinates.length % 2 === 0 && coordinates.length >= MIN_COORDINATES;
}

function rleOf(value: unknown, height: number, width: number): Rle {
  if (typeof value !== 'object' || value === null) throw malformed(shown(value));
  const { size, counts } = value as { size?: unknown; counts?: unknown };
  if (!Array.isArray(size) || size.length !== 2 || size[0] !== height || size[1] !== width) {
    throw malformed(`an encoding of size ${shown(size)}, while the image has [${height},${width}]`);
  }
  if (typeof counts === 'string') return rleFromString(counts, height, width);
  if (Array.isArray(counts)) return rleFromCounts(counts, height, width);
  throw malformed(`an encoding with counts ${shown(counts)}`);
}

function numbers(polygon: readonly unknown[]): number[] {
  return polygon.map((value) => {
    if (typeof value !== 'number') throw malformed(`a polygon with the coordinate ${shown(value)}`);
    return value;
  });
}

function malformed(found: string): UserError {
  return new UserError(
    `Reading "segmentation": found ${found}; expected a list of polygons [[x, y, …], …] or { size: [height, width], ` +
      'counts }. Correct the annotation.',
  );
}

/**
 * Origin of an expression's mask as plain data, before the image is opened. The mask is the union of all sources;
 * without one, nothing in the image fits the expression.
 */
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
  const rles = sources.map((source) => rleOfSource(source, height, width, doing)).filter((rle) => rle !== null);
  const [first] = sources;
  if (first === undefined || rles.length > 0) return mergeRles([emptyRle(height, width), ...rles]);
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
