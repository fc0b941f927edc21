/** A mask's contour as the path of an SVG, so that each mask on a page is an element of its own. */
import type { BinaryMask } from '../../types.js';

const STEPS = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
] as const;

/**
 * The contour as closed loops in half pixels ("M3 4L…Z", to be scaled by 0.5), with the inside to the right; holes run
 * the other way, so that both fill rules agree. Corners are cut at the middle of the pixels' edges. Empty for an empty
 * mask.
 */
export function maskPath(mask: BinaryMask): string {
  const leaving = leavingEdges(mask);
  let path = '';
  for (let start = 0; start < leaving.length; start++) {
    while (leaving[start] !== 0) path += loopFrom(start, leaving, mask.width + 1);
  }
  return path;
}

/** [height + 1, width + 1]: directions in which the contour leaves each corner, one bit per step. */
function leavingEdges({ data, height, width }: BinaryMask): Uint8Array {
  const row = width + 1;
  const leaving = new Uint8Array((height + 1) * row);
  const isInside = (y: number, x: number): boolean =>
    y >= 0 && y < height && x >= 0 && x < width && data[y * width + x] !== 0;
  const add = (y: number, x: number, step: number): void => {
    leaving[y * row + x] = (leaving[y * row + x] as number) | (1 << step);
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[y * width + x] === 0) continue;
      if (!isInside(y - 1, x)) add(y, x, 0);
      if (!isInside(y, x + 1)) add(y, x + 1, 1);
      if (!isInside(y + 1, x)) add(y + 1, x + 1, 2);
      if (!isInside(y, x - 1)) add(y + 1, x, 3);
    }
  }
  return leaving;
}

/** Follows the contour from a corner back to it and removes the edges on the way. */
function loopFrom(start: number, leaving: Uint8Array, row: number): string {
  const middles: (readonly [x: number, y: number])[] = [];
  let at = start;
  let came = -1;
  do {
    const step = nextStep(leaving[at] as number, came);
    leaving[at] = (leaving[at] as number) & ~(1 << step);
    const [dx, dy] = STEPS[step] as (typeof STEPS)[number];
    const [x, y] = [at % row, Math.floor(at / row)];
    middles.push([2 * x + dx, 2 * y + dy]);
    at += dy * row + dx;
    came = step;
  } while (at !== start || goesOn(leaving[at] as number, came));
  return `M${withoutStraight(middles)
    .map(([x, y]) => `${x} ${y}`)
    .join('L')}Z`;
}

/** Where two contours touch at a corner, the one to the right: pixels that meet at a corner stay apart. */
function nextStep(open: number, came: number): number {
  const order = came < 0 ? [0, 1, 2, 3] : [(came + 1) % 4, came, (came + 3) % 4];
  return order.find((step) => (open & (1 << step)) !== 0) ?? 0;
}

/** Whether the loop is still open back at its first corner, where two contours touch. */
function goesOn(open: number, came: number): boolean {
  return (open & (1 << ((came + 1) % 4))) !== 0;
}

/** Drops the points in the middle of straight runs. */
function withoutStraight(points: readonly (readonly [x: number, y: number])[]): (readonly [x: number, y: number])[] {
  return points.filter(([x, y], i) => {
    const [px, py] = points[(i + points.length - 1) % points.length] as readonly [number, number];
    const [nx, ny] = points[(i + 1) % points.length] as readonly [number, number];
    return (x - px) * (ny - y) !== (y - py) * (nx - x);
  });
}
