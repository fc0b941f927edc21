/**
 * Masks ↔ polygons that fill to exactly the same pixels by COCO's rule, along the sides of pixels. Outlines through the
 * centres of pixels, as many exporters write them, lose a row and a column.
 */
import type { BinaryMask } from '../../types.js';
import { UserError } from '../../errors.js';
import { checkMaskSize, decodeMask } from './coco-mask.js';
import { polygonToRle } from './coco-mask-annotation.js';
import { checkMask } from './mask-exchange.js';
import { maskRings } from './mask-rings.js';

const FEWEST_COORDINATES = 6;

/** One connected part of a mask; rings are x0, y0, x1, y1, … in pixels, corners whole numbers. */
export interface MaskRegion {
  readonly outer: readonly number[];
  readonly holes: readonly (readonly number[])[];
}

/** The connected parts of a mask, in the order of their first pixels; pixels that meet at a corner alone are two. */
export function maskRegions(mask: BinaryMask): MaskRegion[] {
  checkMask(mask, 'Tracing a mask');
  const { labels, count } = maskComponents(mask);
  const regions = Array.from({ length: count }, () => ({ outer: [] as readonly number[], holes: [] as number[][] }));
  for (const { corners, pixel, isHole } of maskRings(mask)) {
    const region = regions[(labels[pixel] as number) - 1];
    if (region === undefined) throw new Error('maskRegions: a ring without a part');
    if (isHole) region.holes.push([...corners]);
    else region.outer = corners;
  }
  return regions;
}

/**
 * COCO's polygons of a mask, one per connected part: filled by COCO's rule and united they are the mask, to the pixel.
 * A hole is joined to the outline by a line there and back, which encloses nothing. Empty for an empty mask.
 * @param mask 0 outside
 * @returns lists x0, y0, x1, y1, … in pixels, whole numbers from 0 to the width and height
 */
export function maskToPolygons(mask: BinaryMask): number[][] {
  return maskRegions(mask).map((region) => (region.holes.length === 0 ? [...region.outer] : withHolesJoined(region)));
}

/**
 * The union of polygons filled by COCO's rule.
 * @param polygons lists x0, y0, x1, y1, … in pixels, three points or more each
 * @returns 1 inside, 0 outside
 * @throws UserError where a polygon has an odd number of coordinates, fewer than six, or one that is no number
 */
export function polygonsToMask(polygons: readonly (readonly number[])[], height: number, width: number): BinaryMask {
  checkMaskSize(height, width);
  const data = new Uint8Array(height * width);
  for (const [index, polygon] of polygons.entries()) {
    if (polygon.length < FEWEST_COORDINATES) {
      throw new UserError(
        `Filling polygon ${index + 1} of ${polygons.length}: it has ${polygon.length} coordinates; expected ` +
          'x0, y0, x1, y1, … of three points or more.',
      );
    }
    decodeMask(polygonToRle(polygon, height, width), data);
  }
  return { data, height, width };
}

/** A side to the right, along the top of pixels: where a line from a hole below can come up to. */
interface Joint {
  readonly x: number;
  readonly ring: number;
}

/** One closed line around a part and into each of its holes. */
function withHolesJoined({ outer, holes }: MaskRegion): number[] {
  const rings = [outer, ...holes.map(fromUpperLeft)];
  const sides = upperSides(rings);
  const joints = new Map<string, Joint[]>();
  for (const [index, ring] of rings.entries()) {
    if (index === 0) continue;
    const [x, y] = [ring[0] as number, ring[1] as number];
    const side = sideAbove(sides, x, y);
    const own = joints.get(side);
    if (own === undefined) joints.set(side, [{ x, ring: index }]);
    else own.push({ x, ring: index });
  }
  return joined(rings, joints);
}

/** The same ring, beginning with the left end of one of its uppermost sides. */
function fromUpperLeft(ring: readonly number[]): number[] {
  let first = 0;
  for (let i = 2; i < ring.length; i += 2) {
    const [x, y] = [ring[i] as number, ring[i + 1] as number];
    const [bestX, bestY] = [ring[first] as number, ring[first + 1] as number];
    if (y < bestY || (y === bestY && x < bestX)) first = i;
  }
  return [...ring.slice(first), ...ring.slice(0, first)];
}

interface Side {
  readonly key: string;
  readonly y: number;
}

/** Sides to the right by the columns that they lie over, from above. */
function upperSides(rings: readonly (readonly number[])[]): ReadonlyMap<number, readonly Side[]> {
  const columns = new Map<number, Side[]>();
  for (const [index, ring] of rings.entries()) {
    for (let i = 0; i < ring.length; i += 2) {
      const [from, y] = [ring[i] as number, ring[i + 1] as number];
      const to = ring[(i + 2) % ring.length] as number;
      for (let x = from; x < to; x++) {
        const side = { key: `${index} ${i}`, y };
        const column = columns.get(x);
        if (column === undefined) columns.set(x, [side]);
        else column.push(side);
      }
    }
  }
  for (const column of columns.values()) column.sort((a, b) => a.y - b.y);
  return columns;
}

/** The lowest side above a hole's corner: between them all is inside. */
function sideAbove(sides: ReadonlyMap<number, readonly Side[]>, x: number, y: number): string {
  const column = sides.get(x) ?? [];
  let [low, high] = [0, column.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((column[middle] as Side).y < y) low = middle + 1;
    else high = middle;
  }
  const side = column[low - 1];
  if (side === undefined) throw new Error(`withHolesJoined: nothing above the hole at ${x}, ${y}`);
  return side.key;
}

/** Walks the outer ring and, from each joint, down into a hole, around it and back up; holes may have joints too. */
function joined(rings: readonly (readonly number[])[], joints: ReadonlyMap<string, Joint[]>): number[] {
  const line: number[] = [];
  const stack = [{ ring: 0, corner: 0, joint: 0 }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const ring = rings[top.ring] as readonly number[];
    if (top.corner === ring.length) {
      stack.pop();
      const back = stack.at(-1);
      if (back === undefined) break;
      // The hole closes at its first corner; the line goes back up from there.
      line.push(ring[0] as number, ring[1] as number);
      const above = rings[back.ring] as readonly number[];
      line.push(ring[0] as number, above[back.corner + 1] as number);
      back.joint++;
      continue;
    }
    const own = joints.get(`${top.ring} ${top.corner}`) ?? [];
    if (top.joint === 0) {
      line.push(ring[top.corner] as number, ring[top.corner + 1] as number);
      own.sort((a, b) => a.x - b.x);
    }
    const next = own[top.joint];
    if (next === undefined) {
      top.corner += 2;
      top.joint = 0;
    } else {
      line.push(next.x, ring[top.corner + 1] as number);
      stack.push({ ring: next.ring, corner: 0, joint: 0 });
    }
  }
  return line;
}

/** Number of each pixel's part, row by row; 0 outside, the parts from 1 on in the order of their first pixels. */
function maskComponents({ data, height, width }: BinaryMask): { readonly labels: Int32Array; readonly count: number } {
  const labels = new Int32Array(height * width);
  const waiting: number[] = [];
  let count = 0;
  const take = (pixel: number): void => {
    if (data[pixel] === 0 || labels[pixel] !== 0) return;
    labels[pixel] = count;
    waiting.push(pixel);
  };
  for (let first = 0; first < data.length; first++) {
    if (data[first] === 0 || labels[first] !== 0) continue;
    count++;
    take(first);
    for (let pixel = waiting.pop(); pixel !== undefined; pixel = waiting.pop()) {
      const x = pixel % width;
      if (x > 0) take(pixel - 1);
      if (x < width - 1) take(pixel + 1);
      if (pixel >= width) take(pixel - width);
      if (pixel < data.length - width) take(pixel + width);
    }
  }
  return { labels, count };
}
