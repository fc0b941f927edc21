/**
 * Masks of polygons, to the pixel as OpenCV's fillPoly fills them since 4.11 (8-connected, whole-pixel corners), for
 * ReasonSeg's shapes. The outline belongs to the polygon; inside is where a line from outside has crossed the outline
 * an odd number of times. Both parts round in their own way, and OpenCV continues with the clipped edge of a corner
 * outside of the image; equal masks have to do the same.
 */
import { UserError } from '../../errors.js';
import type { BinaryMask } from '../../types.js';
import { MAX_COORDINATE } from './coco-mask.js';

/** The x of edges is counted in this fraction of a pixel, without rounding. */
const ONE = 2 ** 16;
/** Steps along the outline, a pixel each. */
const MAX_STEPS = 10_000_000;

type Point = readonly [number, number];

/** A side of the polygon on the rows y0 ≤ y < y1, at x on row y0, in units of 1 / ONE pixel. */
interface Edge {
  readonly y0: number;
  readonly y1: number;
  x: number;
  readonly dx: number;
}

/**
 * Sets the pixels of a polygon, its outline included, to `value`; parts outside of the mask are dropped.
 * @param points corners [x, y] in pixels, cut to whole ones towards zero, as the reference does; closed by itself
 * @throws UserError where a coordinate is not a number or lies absurdly far outside
 */
export function fillPolygon(mask: BinaryMask, points: readonly Point[], value: 0 | 1): void {
  const corners = wholeCorners(points);
  const edges: Edge[] = [];
  let from = corners.at(-1);
  for (const to of corners) {
    if (from === undefined) break;
    const [a, b] = clip(from, to, mask);
    if (isInside(a, mask) && isInside(b, mask)) drawLine(mask, a, b, value);
    if (from[1] !== to[1]) edges.push(edgeOf(from, to, a, b));
    from = to;
  }
  fillBetween(mask, edges, value);
}

function wholeCorners(points: readonly Point[]): Point[] {
  const corners = points.map(([x, y], i): Point => {
    if (!(Math.abs(x) <= MAX_COORDINATE && Math.abs(y) <= MAX_COORDINATE))
      throw badPolygon(`point ${i} is [${x}, ${y}]`);
    return [Math.trunc(x), Math.trunc(y)];
  });
  let steps = 0;
  let [lastX, lastY] = corners.at(-1) ?? [0, 0];
  for (const [x, y] of corners) {
    steps += Math.max(Math.abs(x - lastX), Math.abs(y - lastY)) + 1;
    [lastX, lastY] = [x, y];
  }
  if (steps > MAX_STEPS) throw badPolygon(`its outline is ${steps} pixels long`);
  return corners;
}

function isInside([x, y]: Point, { height, width }: BinaryMask): boolean {
  return x >= 0 && x < width && y >= 0 && y < height;
}

/**
 * Both ends of a line moved along it to the image's border (Cohen–Sutherland, in whole pixels cut towards zero). A line
 * that misses the image keeps an end outside.
 */
function clip(from: Point, to: Point, { height, width }: BinaryMask): [Point, Point] {
  const [right, bottom] = [width - 1, height - 1];
  const sideOfX = (x: number): number => (x < 0 ? 1 : x > right ? 2 : 0);
  const sideOfY = (y: number): number => (y < 0 ? 4 : y > bottom ? 8 : 0);
  let [[x1, y1], [x2, y2]] = [from, to];
  let [side1, side2] = [sideOfX(x1) + sideOfY(y1), sideOfX(x2) + sideOfY(y2)];
  const isCrossing = (): boolean => (side1 & side2) === 0 && (side1 | side2) !== 0;
  if (isCrossing()) {
    if (side1 >= 4) {
      const y = side1 < 8 ? 0 : bottom;
      x1 += Math.trunc(((y - y1) * (x2 - x1)) / (y2 - y1));
      y1 = y;
      side1 = sideOfX(x1);
    }
    if (side2 >= 4) {
      const y = side2 < 8 ? 0 : bottom;
      x2 += Math.trunc(((y - y2) * (x2 - x1)) / (y2 - y1));
      y2 = y;
      side2 = sideOfX(x2);
    }
  }
  if (isCrossing()) {
    if (side1 !== 0) {
      const x = side1 === 1 ? 0 : right;
      y1 += Math.trunc(((x - x1) * (y2 - y1)) / (x2 - x1));
      x1 = x;
    }
    if (side2 !== 0) {
      const x = side2 === 1 ? 0 : right;
      y2 += Math.trunc(((x - x2) * (y2 - y1)) / (x2 - x1));
      x2 = x;
    }
  }
  return [
    [x1, y1],
    [x2, y2],
  ];
}

/** Bresenham's line from its left to its right end, both inside of the image. */
function drawLine(mask: BinaryMask, a: Point, b: Point, value: 0 | 1): void {
  const [left, right] = b[0] < a[0] ? [b, a] : [a, b];
  const dx = right[0] - left[0];
  const dy = Math.abs(right[1] - left[1]);
  const down = right[1] < left[1] ? -mask.width : mask.width;
  const [long, short] = dy > dx ? [dy, dx] : [dx, dy];
  const [longStep, shortStep] = dy > dx ? [down, 1] : [1, down];
  let index = left[1] * mask.width + left[0];
  let error = long - 2 * short;
  for (let step = 0; step <= long; step++) {
    mask.data[index] = value;
    if (error < 0) {
      index += shortStep;
      error += 2 * long;
    }
    index += longStep;
    error -= 2 * short;
  }
}

/** The edge between two corners of different rows; its slope is that of the clipped line a, b. */
function edgeOf(from: Point, to: Point, a: Point, b: Point): Edge {
  // Clipped to one row, the line has no slope any more: the rows of the corners are kept then.
  const [aY, bY] = a[1] === b[1] ? [from[1], to[1]] : [a[1], b[1]];
  const dx = Math.trunc(((b[0] - a[0]) * ONE) / (bY - aY));
  return from[1] < to[1]
    ? { y0: from[1], y1: to[1], x: a[0] * ONE + (from[1] - aY) * dx, dx }
    : { y0: to[1], y1: from[1], x: b[0] * ONE + (to[1] - bY) * dx, dx };
}

/** Row by row, the pixels between the first and second, third and fourth, … edge. */
function fillBetween(mask: BinaryMask, edges: Edge[], value: 0 | 1): void {
  edges.sort((a, b) => a.y0 - b.y0 || a.x - b.x || a.dx - b.dx);
  let active: Edge[] = [];
  let next = 0;
  for (let y = edges[0]?.y0 ?? 0; y < mask.height && (next < edges.length || active.length > 0); y++) {
    const begin = next;
    while (edges[next]?.y0 === y) next++;
    active = mergeByX(
      active.filter((edge) => edge.y1 !== y),
      edges.slice(begin, next),
    );
    for (let i = 0; i + 1 < active.length; i += 2) {
      const [first, second] = [active[i] as Edge, active[i + 1] as Edge];
      if (y >= 0) fillRow(mask, y, Math.min(first.x, second.x), Math.max(first.x, second.x), value);
      first.x += first.dx;
      second.x += second.dx;
    }
    // Stable: edges that meet keep their order.
    active.sort((a, b) => a.x - b.x);
  }
}

/** `added` between the edges that are there already, before those of the same x. */
function mergeByX(active: readonly Edge[], added: readonly Edge[]): Edge[] {
  if (added.length === 0) return [...active];
  const merged: Edge[] = [];
  let i = 0;
  for (const edge of added) {
    for (let other = active[i]; other !== undefined && other.x < edge.x; other = active[++i]) merged.push(other);
    merged.push(edge);
  }
  return [...merged, ...active.slice(i)];
}

function fillRow({ data, width }: BinaryMask, y: number, from: number, to: number, value: 0 | 1): void {
  const first = Math.max(Math.ceil(from / ONE), 0);
  const last = Math.min(Math.floor(to / ONE), width - 1);
  if (first <= last) data.fill(value, y * width + first, y * width + last + 1);
}

function badPolygon(found: string): UserError {
  return new UserError(
    `Filling a polygon: ${found}; expected points [x, y] in pixels, within ±${MAX_COORDINATE}. Correct the polygon.`,
  );
}
