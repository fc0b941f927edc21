/** Shapes of LabelMe (and of X-AnyLabeling, which writes the same files) as masks. */
import { UserError, messageOf } from '../../errors.js';
import type { JsonReader } from '../../io/json/json-reader.js';
import { decodeMaskPng } from '../../io/image/mask-png.js';
import type { BinaryMask } from '../../types.js';
import type { Size } from '../image/size-mismatch.js';
import { maskToRle } from '../masks/mask-exchange.js';
import { fillEllipse, fillOutline } from '../masks/pillow-polygon.js';
import { type WrittenMask, writtenMasks } from './own-data-writer.js';

/** Rule of filling outlines: COCO's, or LabelMe's own export, with the outline inside. */
export const FILLS = ['coco', 'labelme'] as const;
export type Fill = (typeof FILLS)[number];

type Point = readonly [x: number, y: number];

/** They mark a place, not an area. */
const WITHOUT_INSIDE: ReadonlySet<string> = new Set(['point', 'points', 'line', 'linestrip']);
/** Four corners in any direction: LabelMe's name, X-AnyLabeling's, and those of its relatives. */
const FOUR_CORNERS: ReadonlySet<string> = new Set([
  'oriented_rectangle',
  'rotation',
  'rotated_rectangle',
  'quadrilateral',
]);
const FEWEST_POINTS = 3;

/** An outline of LabelMe: corners, or a circle. */
type Outline =
  | { readonly corners: readonly Point[]; readonly isUpright: boolean }
  | { readonly centre: Point; readonly radius: number };

/**
 * The mask of a shape at the image's size: none where no pixel is inside, or the reason without a mask.
 * @throws UserError where the shape is malformed, naming file and key
 */
export function maskOfShape(shape: JsonReader, size: Size, fill: Fill): WrittenMask[] | 'shapes' | 'unknownShapes' {
  const type = shape.optional('shape_type')?.string() ?? 'polygon';
  if (WITHOUT_INSIDE.has(type)) return 'shapes';
  if (type === 'mask') return writtenMasks(maskToRle(placedMask(shape, size)), size);
  const outline = outlineOf(shape, type);
  if (outline === null) return 'unknownShapes';
  return shape.key('points').orFail('an outline', () => {
    return writtenMasks(fill === 'labelme' ? maskToRle(filled(outline, size)) : [polygonOf(outline)], size);
  });
}

function outlineOf(shape: JsonReader, type: string): Outline | null {
  const points = shape.key('points').array().map(pointOf);
  const wrong = (expected: string): never => shape.key('points').fail(expected);
  const [a, b] = points;
  if (type === 'polygon') return { corners: points, isUpright: false };
  if (FOUR_CORNERS.has(type))
    return points.length === 4 ? { corners: points, isUpright: false } : wrong('four corners');
  if (type === 'rectangle') {
    // Two opposite corners; X-AnyLabeling and some releases of LabelMe write all four.
    if (points.length === 4) return { corners: points, isUpright: false };
    if (points.length !== 2 || a === undefined || b === undefined) return wrong('two corners, or four');
    return { corners: [a, [b[0], a[1]], b, [a[0], b[1]]], isUpright: true };
  }
  if (type !== 'circle') return null;
  if (points.length !== 2 || a === undefined || b === undefined) return wrong('centre and a point of the edge');
  return { centre: a, radius: Math.hypot(b[0] - a[0], b[1] - a[1]) };
}

function pointOf(point: JsonReader): Point {
  const [x, y] = point.numbers();
  if (x === undefined || y === undefined || point.array().length !== 2) return point.fail('[x, y]');
  return [x, y];
}

/**
 * The outline as it is, to be filled as COCO's polygons are; of a circle the number of corners with which the edges stay
 * within a tenth of a pixel of it, up to a radius of 2600.
 */
function polygonOf(outline: Outline): number[] {
  if ('corners' in outline) return outline.corners.flat();
  const { radius, centre } = outline;
  const corners = Math.min(Math.max(16, Math.ceil(Math.PI * Math.sqrt(5 * radius))), 360);
  return Array.from({ length: corners }, (_, i) => (2 * Math.PI * i) / corners).flatMap((angle) =>
    [centre[0] + radius * Math.cos(angle), centre[1] + radius * Math.sin(angle)].map(
      (value) => Math.round(value * 100) / 100,
    ),
  );
}

/** The pixels that LabelMe's own export fills. */
function filled(outline: Outline, { height, width }: Size): BinaryMask {
  const mask = { data: new Uint8Array(height * width), height, width };
  if ('centre' in outline) fillEllipse(mask, outline.centre, outline.radius);
  else if (outline.corners.length >= FEWEST_POINTS) fillOutline(mask, outline.corners);
  return mask;
}

/** A `mask` shape: a PNG of the box between its two points, as text; what is not 0 is inside. */
function placedMask(shape: JsonReader, { height, width }: Size): BinaryMask {
  const [from, to] = shape.key('points').array().map(pointOf);
  if (from === undefined || to === undefined) return shape.key('points').fail('two corners of the mask');
  const text = shape.key('mask');
  let part: BinaryMask;
  try {
    part = decodeMaskPng(Buffer.from(text.string().replace(/^data:[^,]*,/, ''), 'base64'));
  } catch (error) {
    if (error instanceof UserError) throw error;
    return text.fail(`a PNG as base64 (${messageOf(error)})`);
  }
  const [x, y] = [Math.trunc(from[0]), Math.trunc(from[1])];
  const [wide, high] = [Math.trunc(to[0]) - x + 1, Math.trunc(to[1]) - y + 1];
  if (part.width !== wide || part.height !== high) {
    return text.fail(`a PNG of ${wide} × ${high} pixels, as the points say (it has ${part.width} × ${part.height})`);
  }
  const mask = { data: new Uint8Array(height * width), height, width };
  for (let row = Math.max(0, -y); row < high && row + y < height; row++) {
    for (let column = Math.max(0, -x); column < wide && column + x < width; column++) {
      mask.data[(row + y) * width + column + x] = part.data[row * wide + column] as number;
    }
  }
  return mask;
}
