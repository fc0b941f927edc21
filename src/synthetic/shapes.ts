/**
 * The embedded benchmark's vocabulary of things: six colours, four shapes, and the geometry of the shapes.
 * A shape lives in local coordinates (u, v) with unit radius, u to the right and v down, turned by `angle`.
 */

export const COLOURS = ['red', 'green', 'blue', 'yellow', 'purple', 'white'] as const;
export const SHAPES = ['circle', 'square', 'triangle', 'bar'] as const;
export type Colour = (typeof COLOURS)[number];
export type Shape = (typeof SHAPES)[number];

/** The colours as 8-bit RGB before shading, texture and the small jitter each object gets. */
export const COLOUR_RGB: Readonly<Record<Colour, readonly [number, number, number]>> = {
  red: [212, 44, 44],
  green: [48, 166, 66],
  blue: [52, 84, 214],
  yellow: [228, 204, 48],
  purple: [150, 56, 176],
  white: [232, 232, 230],
};

/** Place of a shape: centre and radius in pixels, angle in radians (clockwise on the screen). */
export interface Pose {
  readonly shape: Shape;
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly angle: number;
}

const SQUARE_HALF = 0.85;
const BAR_HALF: readonly [number, number] = [1.3, 0.42];
const TRIANGLE_TOP = -1;
const TRIANGLE_BASE = 0.8;
const CIRCLE_CORNERS = 40;
/** A slanted side of the triangle rises 1.8 over a run of 1; this turns a horizontal gap into a distance. */
const TRIANGLE_SLANT = 1.8 / Math.hypot(1.8, 1);

/** Distance to the outline in units of the radius, positive inside, negative outside. */
export function insideDistance(shape: Shape, u: number, v: number): number {
  switch (shape) {
    case 'circle':
      return 1 - Math.hypot(u, v);
    case 'square':
      return SQUARE_HALF - Math.max(Math.abs(u), Math.abs(v));
    case 'bar':
      return Math.min(BAR_HALF[0] - Math.abs(u), BAR_HALF[1] - Math.abs(v));
    case 'triangle':
      return Math.min(TRIANGLE_BASE - v, ((v - TRIANGLE_TOP) / 1.8 - Math.abs(u)) * TRIANGLE_SLANT);
  }
}

/** Local coordinates (u, v) of the image point (x, y). */
export function toLocal(pose: Pose, x: number, y: number): [number, number] {
  const cos = Math.cos(pose.angle);
  const sin = Math.sin(pose.angle);
  const dx = (x - pose.x) / pose.radius;
  const dy = (y - pose.y) / pose.radius;
  return [dx * cos + dy * sin, dy * cos - dx * sin];
}

function localCorners(shape: Shape): [number, number][] {
  const box = (halfU: number, halfV: number): [number, number][] => [
    [-halfU, -halfV],
    [halfU, -halfV],
    [halfU, halfV],
    [-halfU, halfV],
  ];
  switch (shape) {
    case 'circle':
      return Array.from({ length: CIRCLE_CORNERS }, (_, i) => {
        const turn = (2 * Math.PI * i) / CIRCLE_CORNERS;
        return [Math.cos(turn), Math.sin(turn)];
      });
    case 'square':
      return box(SQUARE_HALF, SQUARE_HALF);
    case 'bar':
      return box(BAR_HALF[0], BAR_HALF[1]);
    case 'triangle':
      return [
        [0, TRIANGLE_TOP],
        [1, TRIANGLE_BASE],
        [-1, TRIANGLE_BASE],
      ];
  }
}

/** The outline in image coordinates (pixels; pixel i spans [i, i + 1)), corner by corner. */
export function outline(pose: Pose): [number, number][] {
  const cos = Math.cos(pose.angle);
  const sin = Math.sin(pose.angle);
  return localCorners(pose.shape).map(([u, v]) => [
    pose.x + pose.radius * (u * cos - v * sin),
    pose.y + pose.radius * (u * sin + v * cos),
  ]);
}

/** Bounding box [xMin, yMin, xMax, yMax] of the outline, in pixels. */
export function outlineBounds(pose: Pose): [number, number, number, number] {
  const corners = outline(pose);
  const xs = corners.map(([x]) => x);
  const ys = corners.map(([, y]) => y);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}
