/**
 * The border of a mask as closed rings along the sides of its pixels. Corners are whole numbers: pixel (x, y) reaches
 * from x to x + 1 and from y to y + 1. The inside lies to the right of the way, so outer rings have a positive area by
 * the shoelace formula with y pointing down, and holes a negative one.
 */
import type { BinaryMask } from '../../types.js';

export interface Ring {
  /** x0, y0, x1, y1, …: corners only, each once, the last not repeated. */
  readonly corners: readonly number[];
  /** A pixel inside, at the ring's first side. */
  readonly pixel: number;
  readonly isHole: boolean;
}

/** Right, down, left, up: the next one is a turn to the right. */
const STEP_X = [1, 0, -1, 0] as const;
const STEP_Y = [0, 1, 0, -1] as const;
type Direction = 0 | 1 | 2 | 3;

/**
 * Rings that do not touch themselves: a border that comes to a corner twice is two rings. Outer rings and holes of one
 * part may meet at corners.
 */
export function maskRings({ data, height, width }: BinaryMask): Ring[] {
  const isInside = (x: number, y: number): boolean =>
    x >= 0 && y >= 0 && x < width && y < height && data[y * width + x] !== 0;
  // Upper sides of pixels, which every ring has, that were walked along.
  const walked = new Uint8Array(height * width);
  const rings: Ring[] = [];
  for (let start = 0; start < data.length; start++) {
    const [x, y] = [start % width, Math.floor(start / width)];
    if (walked[start] === 1 || !isInside(x, y) || isInside(x, y - 1)) continue;
    walk(x, y);
  }
  return rings;

  /** The whole border that begins with the upper side of a pixel. */
  function walk(startX: number, startY: number): void {
    const path: Corner[] = [];
    const places = new Map<number, number>();
    let [x, y, direction] = [startX, startY, 0 as Direction];
    do {
      if (direction === 0) walked[y * width + x] = 1;
      const pixel = pixelRight(x, y, direction);
      x += STEP_X[direction];
      y += STEP_Y[direction];
      const next = turn(x, y, direction);
      if (next !== direction) arrive({ x, y, pixel }, path, places);
      direction = next;
    } while (x !== startX || y !== startY || direction !== 0);
    // A straight side may have been the beginning; its corners are all there. What is left is the last ring.
    if (path.length > 0) emit(path);
  }

  /** Two pixels that meet at a corner stay apart: a turn to the right comes first. */
  function turn(x: number, y: number, direction: Direction): Direction {
    const [aheadRight, aheadLeft] = ahead(x, y, direction);
    if (!aheadRight) return ((direction + 1) % 4) as Direction;
    return aheadLeft ? (((direction + 3) % 4) as Direction) : direction;
  }

  /** Whether the pixels before a corner are inside, to the right and to the left of the way. */
  function ahead(x: number, y: number, direction: Direction): [right: boolean, left: boolean] {
    const right = isInside(x - (direction === 1 || direction === 2 ? 1 : 0), y - (direction >= 2 ? 1 : 0));
    const left = isInside(x - (direction >= 2 ? 1 : 0), y - (direction === 0 || direction === 3 ? 1 : 0));
    return [right, left];
  }

  function pixelRight(x: number, y: number, direction: Direction): number {
    return (y - (direction >= 2 ? 1 : 0)) * width + x - (direction === 1 || direction === 2 ? 1 : 0);
  }

  /** A corner that the way has come to before closes a ring, which is taken out of it. */
  function arrive(corner: Corner, path: Corner[], places: Map<number, number>): void {
    const key = corner.y * (width + 1) + corner.x;
    const first = places.get(key);
    if (first === undefined) {
      places.set(key, path.length);
      path.push(corner);
      return;
    }
    const ring = path.splice(first + 1);
    for (const other of ring) places.delete(other.y * (width + 1) + other.x);
    emit([corner, ...ring]);
  }

  function emit(path: readonly Corner[]): void {
    let area = 0;
    for (const [i, a] of path.entries()) {
      const b = path[(i + 1) % path.length] as Corner;
      area += a.x * b.y - b.x * a.y;
    }
    const corners = path.flatMap(({ x, y }) => [x, y]);
    rings.push({ corners, pixel: (path[0] as Corner).pixel, isHole: area < 0 });
  }
}

/** A place where the way turns, and the pixel to its right before it. */
interface Corner {
  readonly x: number;
  readonly y: number;
  readonly pixel: number;
}
