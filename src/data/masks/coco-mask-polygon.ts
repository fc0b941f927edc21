/**
 * Masks of polygons, to the pixel as pycocotools fills them (rleFrPoly of cocoapi common/maskApi.c): the outline is
 * drawn on a grid five times as fine, and where it crosses from one column of pixels to the next, inside and outside
 * change; the sorted crossings are the runs.
 */
import { UserError } from '../../errors.js';
import { type Rle, checkMaskSize } from './coco-mask.js';

const SCALE = 5;
/** Coordinates beyond this many pixels are refused: nothing in an image lies there, and the outline is walked step by step. */
const MAX_COORDINATE = 100_000;
/** Steps along the outline, about a fifth of a pixel each. */
const MAX_STEPS = 50_000_000;

/**
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
  const dx = Math.abs(x1 - x0);
  const dy = Math.abs(y1 - y0);
  // Points are computed from the lower end, so that an edge is the same in both directions.
  if (dx >= dy) {
    const flip = x0 > x1;
    const [xs, ys, ye] = flip ? [x1, y1, y0] : [x0, y0, y1];
    const slope = dx === 0 ? 0 : (ye - ys) / dx;
    for (let d = 0; d <= dx; d++) {
      const t = flip ? dx - d : d;
      visit(t + xs, Math.trunc(ys + slope * t + 0.5));
    }
  } else {
    const flip = y0 > y1;
    const [xs, ys, xe] = flip ? [x1, y1, x0] : [x0, y0, x1];
    const slope = (xe - xs) / dy;
    for (let d = 0; d <= dy; d++) {
      const t = flip ? dy - d : d;
      visit(Math.trunc(xs + slope * t + 0.5), t + ys);
    }
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
