/** Masks over an image: each tints it and is outlined in its own colour. */
import { UserError } from '../../errors.js';
import type { BinaryMask, RgbImage } from '../../types.js';
import { SummedArea } from '../metrics/boundary-errors.js';
import { enlargeChannels, enlargeImage } from './enlarge.js';
import { type Rgb, expressionColor } from './palette.js';
import { encodePng, readImage } from '../../io/image/image-file.js';

export interface MaskLayer {
  readonly mask: BinaryMask;
  readonly color: Rgb;
}

/** Share of the colour that a faded pixel loses, and of the white that it gains. */
const FADE = 0.7;
const LIGHTEN = 0.25;
const TINT = 0.45;
/** Share of light in a darkened image. */
const DARKEN = 0.4;
const WHITE: Rgb = [255, 255, 255];
/** Opacity of the white line around each mask. */
const WHITE_LINE = 0.7;

/** Treatment of the image: it fades to pale grey, keeps its colours, or turns dark (the paper's Figure 4). */
export type Backdrop = 'pale' | 'natural' | 'dark';

interface LargeMask {
  readonly inside: Uint8Array;
  readonly height: number;
  readonly width: number;
}

/**
 * The image with all masks, `scale` times as large. Where masks overlap their tints mix; all outlines stay visible.
 * @throws UserError
 */
export function overlayMasks(
  image: RgbImage,
  layers: readonly MaskLayer[],
  { scale = 1, backdrop = 'pale' }: { readonly scale?: number; readonly backdrop?: Backdrop } = {},
): RgbImage {
  for (const { mask } of layers) {
    if (mask.height !== image.height || mask.width !== image.width) {
      throw new UserError(
        `Drawing masks: a mask is ${mask.height}×${mask.width}, the image ${image.height}×${image.width}. ` +
          'Masks are drawn at the size of their image.',
      );
    }
  }
  const large = enlargeImage(image, scale);
  const data = BACKDROPS[backdrop](large.data);
  const thickness = Math.max(1.5, Math.max(large.height, large.width) / 160);
  const drawn = layers.map(({ mask, color }) => ({ mask: enlargeMask(mask, scale), color }));
  for (const { mask, color } of drawn) {
    for (let pixel = 0; pixel < mask.inside.length; pixel++) {
      if (mask.inside[pixel] === 1) blend(data, pixel, color, TINT);
    }
  }
  for (const { mask, color } of drawn) drawOutline(data, mask, color, thickness);
  return { ...large, data };
}

/** Each makes a copy. */
const BACKDROPS: Readonly<Record<Backdrop, (data: Uint8Array) => Uint8Array>> = {
  pale: fade,
  natural: (data) => data.slice(),
  dark: (data) => data.map((value) => Math.round(value * DARKEN)),
};

/** Faded copy of RGB pixels: mostly grey and a little lighter, so that tints stand out. */
function fade(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 3) {
    const [r, g, b] = [data[at] as number, data[at + 1] as number, data[at + 2] as number];
    const grey = 0.299 * r + 0.587 * g + 0.114 * b;
    for (let channel = 0; channel < 3; channel++) {
      const faded = (data[at + channel] as number) * (1 - FADE) + grey * FADE;
      // Storing cuts off: half a level more rounds.
      out[at + channel] = faded + (255 - faded) * LIGHTEN + 0.5;
    }
  }
  return out;
}

/** The mask at the enlarged size, its staircase smoothed. */
function enlargeMask({ data, height, width }: BinaryMask, scale: number): LargeMask {
  const field = scale === 1 ? data : enlargeChannels(data, height, width, 1, scale);
  // Not Uint8Array.from: it takes fifty times as long.
  const inside = new Uint8Array(field.length);
  for (let i = 0; i < field.length; i++) inside[i] = (field[i] as number) >= 0.5 ? 1 : 0;
  return { inside, height: height * scale, width: width * scale };
}

/** Solid line along the inner edge, with a thin white line outside that separates it from similar tints. */
function drawOutline(data: Uint8Array, mask: LargeMask, color: Rgb, thickness: number): void {
  const distances = edgeDistances(mask, Math.ceil(thickness) + 1);
  for (let pixel = 0; pixel < distances.length; pixel++) {
    const distance = distances[pixel] as number;
    if (mask.inside[pixel] === 1) blend(data, pixel, color, clip(thickness + 1 - distance));
    else blend(data, pixel, WHITE, WHITE_LINE * clip(2 - distance));
  }
}

/** Distance from the centre of each pixel to that of the nearest pixel of the other kind; Infinity beyond `reach`. */
function edgeDistances({ inside, height, width }: LargeMask, reach: number): Float32Array {
  const distances = new Float32Array(inside.length).fill(Infinity);
  const area = new SummedArea({ data: inside, height, width });
  const nearby = offsetsWithin(reach);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // Most pixels are far from any edge.
      if (area.isUniform(y, x, reach)) continue;
      const kind = inside[y * width + x];
      for (const { dy, dx, distance } of nearby) {
        const [ny, nx] = [y + dy, x + dx];
        if (ny < 0 || ny >= height || nx < 0 || nx >= width || inside[ny * width + nx] === kind) continue;
        distances[y * width + x] = distance;
        break;
      }
    }
  }
  return distances;
}

/** All steps of at most `reach` rows and columns, the shortest first. */
function offsetsWithin(reach: number): { readonly dy: number; readonly dx: number; readonly distance: number }[] {
  const side = 2 * reach + 1;
  return Array.from({ length: side * side }, (_, i) => {
    const [dy, dx] = [Math.floor(i / side) - reach, (i % side) - reach];
    return { dy, dx, distance: Math.hypot(dy, dx) };
  }).sort((a, b) => a.distance - b.distance);
}

function clip(value: number): number {
  if (value <= 0) return 0;
  return value < 1 ? value : 1;
}

function blend(data: Uint8Array, pixel: number, color: Rgb, alpha: number): void {
  if (alpha === 0) return;
  for (let channel = 0; channel < 3; channel++) {
    const at = pixel * 3 + channel;
    data[at] = (data[at] as number) * (1 - alpha) + (color[channel] as number) * alpha + 0.5;
  }
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
  const layers = masks.flatMap((mask, index) => (mask === null ? [] : [{ mask, color: expressionColor(index) }]));
  return new Uint8Array(await encodePng(overlayMasks(picture, layers, { backdrop })));
}
