/** A mask's contour as the path of an SVG, so that each mask on a page is an element of its own. */
import { maskRings } from '../../data/masks/mask-rings.js';
import type { BinaryMask } from '../../types.js';

type Point = readonly [x: number, y: number];

/**
 * The contour as closed loops in half pixels ("M3 4L…Z", to be scaled by 0.5), with the inside to the right; holes run
 * the other way, so that both fill rules agree. Corners are cut at the middle of the pixels' edges. Empty for an empty mask.
 */
export function maskPath(mask: BinaryMask): string {
  const loops = maskRings(mask).map(({ corners }) => withoutStraight(edgeMiddles(corners)));
  return loops.map((loop) => `M${loop.map(([x, y]) => `${x} ${y}`).join('L')}Z`).join('');
}

/** Middles of the pixels' edges along a ring. */
function edgeMiddles(corners: readonly number[]): Point[] {
  const middles: Point[] = [];
  for (let i = 0; i < corners.length; i += 2) {
    const [x, y] = [corners[i] as number, corners[i + 1] as number];
    const next = (i + 2) % corners.length;
    const [dx, dy] = [(corners[next] as number) - x, (corners[next + 1] as number) - y];
    const steps = Math.abs(dx + dy);
    for (let k = 0; k < steps; k++)
      middles.push([2 * x + (dx / steps) * (2 * k + 1), 2 * y + (dy / steps) * (2 * k + 1)]);
  }
  return middles;
}

/** Drops the points in the middle of straight runs. */
function withoutStraight(points: readonly Point[]): Point[] {
  return points.filter(([x, y], i) => {
    const [px, py] = points[(i + points.length - 1) % points.length] as Point;
    const [nx, ny] = points[(i + 1) % points.length] as Point;
    return (x - px) * (ny - y) !== (y - py) * (nx - x);
  });
}
