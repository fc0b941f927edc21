/** Masks over an image: each tints it and is outlined in a colour of its own, for pictures and for elements of a page. */
import sharp, { type Matrix3x3, type Sharp } from 'sharp';
import { resizePillow } from '../../data/image/pillow-resample.js';
import { maskRings } from '../../data/masks/mask-rings.js';
import { UserError } from '../../errors.js';
import { encodePng, readImage } from '../../io/image/image-file.js';
import type { BinaryMask, RgbImage } from '../../types.js';

/** Distinct on photographs and for most colour-blind readers. */
const COLORS = ['#ec4052', '#2484f5', '#ffb714', '#00aa80', '#965ce6', '#ff7828', '#14bedc', '#e85ab2'];

/** The colour of expression number `index`, as CSS has it; beyond the table the hue turns by the golden angle. */
export function expressionColor(index: number): string {
  return COLORS[index] ?? `hsl(${((index * 137.508) % 360).toFixed(1)}, 75%, 50%)`;
}

type Point = readonly [x: number, y: number];

/**
 * A mask's contour as the path of an SVG: closed loops in half pixels ("M3 4L…Z", to be scaled by 0.5), with the inside
 * to the right; holes run the other way, so that both fill rules agree. Corners are cut at the middle of the pixels'
 * edges. Empty for an empty mask.
 */
export function maskPath(mask: BinaryMask): string {
  const loops = maskRings(mask).map(({ corners }) => withoutStraight(edgeMiddles(corners)));
  return loops.map((loop) => `M${loop.map(([x, y]) => `${x} ${y}`).join('L')}Z`).join('');
}

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

/** A whole factor that brings the longer side of small images to about `side` pixels; 1 for large ones. */
export function displayScale(image: { readonly height: number; readonly width: number }, side = 384): number {
  return Math.min(8, Math.max(1, Math.round(side / Math.max(image.height, image.width))));
}

function pixelsOf({ data, height, width }: RgbImage): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/** The image `scale` times as large, for people. As Pillow does it: sharp would shift it by half a pixel. */
export function scaledImage(image: RgbImage, scale: number): RgbImage {
  if (scale === 1) return image;
  const scaled = (side: number): number => Math.max(1, Math.round(side * scale));
  return resizePillow(image, scaled(image.height), scaled(image.width), 'bicubic');
}

export interface MaskLayer {
  readonly mask: BinaryMask;
  /** As CSS has it. */
  readonly color: string;
}

/** Masks in the colours of their places in the list, so that truth and prediction of an expression share one. */
export function layersOf(masks: readonly (BinaryMask | null)[]): MaskLayer[] {
  return masks.flatMap((mask, index) => (mask === null ? [] : [{ mask, color: expressionColor(index) }]));
}

const TINT = 0.45;
/** Opacity of the white line around each mask. */
const WHITE_LINE = 0.7;
/** Share of the colour that a faded pixel loses, and of the white that it gains: tints stand out. */
const [FADE, LIGHTEN] = [0.7, 0.25];
/** Share of light in a darkened image. */
const DARKEN = 0.4;
/** Treatment of the image: it fades to pale grey, keeps its colours, or turns dark (the paper's Figure 4). */
export type Backdrop = 'pale' | 'natural' | 'dark';
const GREY = [0.299, 0.587, 0.114];
const BACKDROPS: Readonly<Record<Backdrop, (picture: Sharp) => Sharp>> = {
  pale: (picture) => {
    const faded = GREY.map((_, row) => GREY.map((grey, i) => FADE * grey + (row === i ? 1 - FADE : 0)));
    return picture.recomb(faded as unknown as Matrix3x3).linear(1 - LIGHTEN, 255 * LIGHTEN);
  },
  natural: (picture) => picture,
  dark: (picture) => picture.linear(DARKEN, 0),
};

/**
 * The image with all masks, `scale` times as large. Where masks overlap their tints mix; all outlines stay visible.
 * @throws UserError
 */
export async function overlayMasks(
  image: RgbImage,
  layers: readonly MaskLayer[],
  { scale = 1, backdrop = 'pale' }: { readonly scale?: number; readonly backdrop?: Backdrop } = {},
): Promise<RgbImage> {
  for (const { mask } of layers) {
    if (mask.height !== image.height || mask.width !== image.width) {
      throw new UserError(
        `Drawing masks: a mask is ${mask.height}×${mask.width}, the image ${image.height}×${image.width}. ` +
          'Masks are drawn at the size of their image.',
      );
    }
  }
  const large = scaledImage(image, scale);
  const under = await BACKDROPS[backdrop](pixelsOf(large)).raw().toBuffer();
  const masks = masksSvg(layers, large, scale / 2);
  const tiles = tilesOf(large).map(({ left, top, width, height }) => {
    const size = `width="${width}" height="${height}" viewBox="${left} ${top} ${width} ${height}"`;
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${masks}</svg>`;
    return { input: Buffer.from(svg), unlimited: true, left, top };
  });
  // Two steps: sharp would change the colours behind what is composed.
  const drawn = pixelsOf({ ...large, data: under }).composite(tiles);
  return { ...large, data: await drawn.removeAlpha().raw().toBuffer() };
}

/** librsvg draws no picture of more than 32,767 pixels a side. */
const TILE = 16_384;

function tilesOf({ height, width }: RgbImage) {
  const starts = (length: number): number[] => Array.from({ length: Math.ceil(length / TILE) }, (_, i) => i * TILE);
  return starts(height).flatMap((top) =>
    starts(width).map((left) => {
      return { left, top, width: Math.min(TILE, width - left), height: Math.min(TILE, height - top) };
    }),
  );
}

/** Tints; over them solid lines along the inner edges, with thin white ones outside that separate similar tints. */
function masksSvg(layers: readonly MaskLayer[], { height, width }: RgbImage, unit: number): string {
  const thickness = Math.max(1.5, Math.max(height, width) / 160) / unit;
  const paths = layers.map(({ mask, color }) => ({ d: maskPath(mask), color }));
  return [
    `<g transform="scale(${unit})">`,
    ...paths.map(({ d, color }) => `<path d="${d}" fill="${color}" fill-opacity="${TINT}"/>`),
    ...paths.map(
      ({ d, color }, i) =>
        `<clipPath id="inside-${i}"><path d="${d}"/></clipPath><g fill="none">` +
        `<path d="${d}" stroke="#fff" stroke-opacity="${WHITE_LINE}" stroke-width="${2 / unit}"/>` +
        `<path d="${d}" stroke="${color}" stroke-width="${2 * thickness}" clip-path="url(#inside-${i})"/></g>`,
    ),
    '</g>',
  ].join('\n');
}

export interface OverlayOptions {
  /** 'pale' (default): the picture fades to grey; 'natural': it keeps its colours; 'dark': it turns dark. */
  readonly backdrop?: Backdrop;
}

/**
 * Draws each mask over a picture, tinted and outlined in a colour of its own, as `gsva segment --out` does.
 * @param image path, bytes of a file, or 8-bit RGB pixels row by row
 * @param masks at the picture's size; null skips a colour
 * @returns the bytes of a PNG file of the picture's size
 * @throws UserError where the picture cannot be read or a mask has another size
 */
export async function drawOverlay(
  image: string | Uint8Array | RgbImage,
  masks: readonly (BinaryMask | null)[],
  { backdrop = 'pale' }: OverlayOptions = {},
): Promise<Uint8Array> {
  const picture = typeof image === 'string' || image instanceof Uint8Array ? await readImage(image) : image;
  return new Uint8Array(await encodePng(await overlayMasks(picture, layersOf(masks), { backdrop })));
}
