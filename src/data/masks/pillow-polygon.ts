/**
 * Masks of outlines, to the pixel as Pillow's ImageDraw fills them for LabelMe's own export: coordinates are cut to
 * whole pixels and the outline belongs to the inside, so that a square from 10 to 20 has 121 pixels.
 */
import { UserError } from '../../errors.js';
import type { BinaryMask } from '../../types.js';
import { MAX_COORDINATE } from './coco-mask.js';

type Point = readonly [x: number, y: number];

/** A side of the outline with its rows, both included, and its slope: columns per row. */
interface Side {
  readonly x: number;
  readonly y: number;
  readonly top: number;
  readonly bottom: number;
  readonly slope: number;
}

/** Sets the pixels of a polygon to 1. @param points corners in pixels, closed by themselves */
export function fillOutline(mask: BinaryMask, points: readonly Point[]): void {
  const corners = points.map(wholePoint);
  const sides: Side[] = [];
  for (const [i, [x0, y0]] of corners.entries()) {
    const [x1, y1] = corners[(i + 1) % corners.length] as Point;
    // A level side is drawn as it is: between other sides nothing is filled on its row.
    if (y0 === y1) fillRow(mask, y0, Math.min(x0, x1), Math.max(x0, x1));
    else sides.push(sideOf(x0, y0, x1, y1));
  }
  const lowest = Math.max(...sides.map(({ bottom }) => bottom));
  const first = Math.max(Math.min(...sides.map(({ top }) => top)), 0);
  for (let y = first; y <= Math.min(lowest, mask.height - 1); y++) {
    const columns = crossings(sides, y, lowest);
    // Between the first and second, third and fourth, … crossing.
    for (let i = 1; i < columns.length; i += 2) {
      fillRow(mask, y, halfUp(columns[i - 1] as number), halfDown(columns[i] as number));
    }
  }
}

function wholePoint([x, y]: Point): Point {
  if (Math.abs(x) <= MAX_COORDINATE && Math.abs(y) <= MAX_COORDINATE) return [Math.trunc(x), Math.trunc(y)];
  throw new UserError(`a point is [${x}, ${y}]; expected pixels within ±${MAX_COORDINATE}. Correct the outline`);
}

function sideOf(x0: number, y0: number, x1: number, y1: number): Side {
  // Pillow counts in 32-bit floats.
  return { x: x0, y: y0, top: Math.min(y0, y1), bottom: Math.max(y0, y1), slope: Math.fround((x1 - x0) / (y1 - y0)) };
}

function columnAt({ x, y, slope }: Side, row: number): number {
  return Math.fround(Math.fround((row - y) * slope) + x);
}

/** Crossings of the sides with a row, by columns; a side that ends there counts twice but on the last row. */
function crossings(sides: readonly Side[], row: number, lowest: number): number[] {
  const found: number[] = [];
  for (const [i, side] of sides.entries()) {
    if (row < side.top || row > side.bottom) continue;
    const column = columnAt(side, row);
    if (row === side.bottom && row < lowest) found.push(column, column);
    else found.push(cornerColumn(sides, i, row) ?? column);
  }
  return found.sort((a, b) => a - b);
}

/**
 * The crossing at the end of a side that meets an earlier one in a flat corner: both continue in the next row more than
 * a column away on the same side, and the corner is drawn as far as there. Null without such a corner.
 */
function cornerColumn(sides: readonly Side[], index: number, row: number): number | null {
  const side = sides[index] as Side;
  if (!endsFlat(side, row)) return null;
  const column = columnAt(side, row);
  const next = row + (row === side.bottom ? -1 : 1);
  for (const other of sides.slice(0, index)) {
    const isMet = endsFlat(other, row) && halfUp(columnAt(other, row)) === halfUp(column);
    if (!isMet || next < other.top || next > other.bottom) continue;
    const columns = [columnAt(side, next), columnAt(other, next)];
    const [least, most] = [Math.min(...columns), Math.max(...columns)];
    if (column > most + 1) return halfUp(most) + 1;
    return column < least - 1 ? halfUp(least) - 1 : null;
  }
  return null;
}

/** Whether a side that leans begins or ends on the row. */
function endsFlat({ top, bottom, slope }: Side, row: number): boolean {
  return slope !== 0 && (row === top || row === bottom);
}

/** Rounded; a half away from 0. */
function halfUp(value: number): number {
  return value >= 0 ? Math.floor(value + 0.5) : -Math.floor(0.5 - value);
}

/** Rounded; a half towards 0. */
function halfDown(value: number): number {
  return value >= 0 ? Math.ceil(value - 0.5) : -Math.ceil(-value - 0.5);
}

function fillRow({ data, height, width }: BinaryMask, y: number, from: number, to: number): void {
  if (y < 0 || y >= height) return;
  const [first, last] = [Math.max(from, 0), Math.min(to, width - 1)];
  if (first <= last) data.fill(1, y * width + first, y * width + last + 1);
}

/** Sets the pixels of a circle to 1. @param centre and radius in pixels */
export function fillEllipse(mask: BinaryMask, [x, y]: Point, radius: number): void {
  const [left, top] = wholePoint([x - radius, y - radius]);
  const [right, bottom] = wholePoint([x + radius, y + radius]);
  const [wide, high] = [right - left, bottom - top];
  // Pillow draws no circle without an extent.
  if (wide === 0 && high === 0) return;
  for (const [row, half] of chords(wide, high)) {
    for (const sign of row === 0 ? [1] : [1, -1]) {
      fillRow(mask, top + (high + sign * row) / 2, left + (wide - half) / 2, left + (wide + half) / 2);
    }
  }
}

/**
 * Half the chord of each row of the lower half, all in half pixels from the centre: a walk along the edge from its
 * rightmost pixel to its lowest one, each step to the neighbour nearest to the ellipse; the first pixel of a row
 * counts.
 */
function chords(wide: number, high: number): Map<number, number> {
  const distance = (column: number, row: number): number =>
    Math.abs(wide ** 2 * row ** 2 + high ** 2 * column ** 2 - wide ** 2 * high ** 2);
  const found = new Map<number, number>();
  let [column, row] = [wide, high % 2];
  while (row <= high) {
    if (!found.has(row)) found.set(row, column);
    if (column === wide % 2 && row === high) return found;
    let next: Point = [column, row + 2];
    if (column > 1) {
      for (const other of [
        [column - 2, row + 2],
        [column - 2, row],
      ] as const) {
        if (distance(...other) < distance(...next)) next = other;
      }
    }
    [column, row] = next;
  }
  return found;
}
