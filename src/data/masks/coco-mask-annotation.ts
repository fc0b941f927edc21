/**
 * Mask of a COCO annotation's `segmentation`: a list of polygons, a run-length encoding ({ size, counts }, the counts a
 * list or a compressed text), or a list of such encodings (RefCLEF); and of an expression, from several sources.
 */
import { messageOf, UserError } from '../../errors.js';
import { readMaskPng } from '../../io/image/mask-png.js';
import {
  MAX_COORDINATE,
  checkMaskSize,
  emptyRle,
  encodeMask,
  mergeRles,
  type Rle,
  rleFromCounts,
  rleFromString,
  shown,
} from './coco-mask.js';

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

const SCALE = 5;
/** Steps along the outline, about a fifth of a pixel each. */
const MAX_STEPS = 50_000_000;

/**
 * Mask of a polygon, to the pixel as pycocotools fills it (rleFrPoly of cocoapi common/maskApi.c): the outline is drawn
 * on a grid five times as fine, and where it crosses from one column of pixels to the next, inside and outside change;
 * the sorted crossings are the runs.
 * @param xy x0, y0, x1, y1, … in pixels, sensibly of three points or more
 * @throws UserError where the coordinates are not numbers, come in an odd number or lie absurdly far outside
 */
export function polygonToRle(xy: readonly number[], height: number, width: number): Rle {
  checkMaskSize(height, width);
  const [x, y] = finePoints(xy);
  const crossings: number[] = [];
  // The previous point of the outline: NaN before the first, so that no change of column is seen there.
  let previousU = NaN;
  let previousV = NaN;
  const visit = (u: number, v: number): void => {
    if (u !== previousU && !Number.isNaN(previousU)) {
      const column = ((u < previousU ? u : u - 1) + 0.5) / SCALE - 0.5;
      if (Number.isInteger(column) && column >= 0 && column <= width - 1) {
        const row = (Math.min(v, previousV) + 0.5) / SCALE - 0.5;
        crossings.push(column * height + Math.ceil(Math.min(Math.max(row, 0), height)));
      }
    }
    previousU = u;
    previousV = v;
  };
  for (let j = 0; j < x.length; j++) {
    const next = j + 1 < x.length ? j + 1 : 0;
    drawEdge(x[j] ?? 0, y[j] ?? 0, x[next] ?? 0, y[next] ?? 0, visit);
  }
  return { size: [height, width], counts: runsBetween(crossings, height * width) };
}

/** The corners on the fine grid, rounded as C does it: towards zero after adding a half. */
function finePoints(xy: readonly number[]): [Int32Array, Int32Array] {
  if (xy.length % 2 !== 0) throw badPolygon(`it has ${xy.length} coordinates, an odd number`);
  const x = new Int32Array(xy.length / 2);
  const y = new Int32Array(xy.length / 2);
  for (const [i, value] of xy.entries()) {
    if (!(Math.abs(value) <= MAX_COORDINATE)) throw badPolygon(`coordinate ${i} is ${value}`);
    (i % 2 === 0 ? x : y)[i >> 1] = Math.trunc(SCALE * value + 0.5);
  }
  let steps = 0;
  for (let j = 0; j < x.length; j++) {
    const next = j + 1 < x.length ? j + 1 : 0;
    steps += Math.max(Math.abs((x[j] ?? 0) - (x[next] ?? 0)), Math.abs((y[j] ?? 0) - (y[next] ?? 0))) + 1;
  }
  if (steps > MAX_STEPS) throw badPolygon(`its outline is ${Math.round(steps / SCALE)} pixels long`);
  return [x, y];
}

/** All points of the fine grid along one edge, from its first to its second end. */
function drawEdge(x0: number, y0: number, x1: number, y1: number, visit: (u: number, v: number) => void): void {
  const length = Math.abs(x1 - x0);
  if (length < Math.abs(y1 - y0)) {
    drawEdge(y0, x0, y1, x1, (v, u) => {
      visit(u, v);
    });
    return;
  }
  // Points are computed from the lower end, so that an edge is the same in both directions.
  const flip = x0 > x1;
  const [xs, ys, ye] = flip ? [x1, y1, y0] : [x0, y0, y1];
  const slope = length === 0 ? 0 : (ye - ys) / length;
  for (let d = 0; d <= length; d++) {
    const t = flip ? length - d : d;
    visit(t + xs, Math.trunc(ys + slope * t + 0.5));
  }
}

/** Runs between the sorted crossings; two at one place cancel each other. */
function runsBetween(crossings: readonly number[], pixels: number): number[] {
  const sorted = Float64Array.from([...crossings, pixels]).sort();
  const counts: number[] = [];
  let previous = 0;
  let joinNext = false;
  for (const [i, position] of sorted.entries()) {
    const run = position - previous;
    previous = position;
    const last = counts.length - 1;
    if (joinNext) {
      counts[last] = (counts[last] ?? 0) + run;
      joinNext = false;
    } else if (run > 0 || i === 0) counts.push(run);
    else joinNext = true;
  }
  return counts;
}

function badPolygon(found: string): UserError {
  return new UserError(
    `Filling a polygon: ${found}; expected x, y, x, y, … in pixels, within ±${MAX_COORDINATE}. Correct the segmentation.`,
  );
}
