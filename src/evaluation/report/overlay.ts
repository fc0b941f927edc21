/** Draws masks over an image: each mask tints it and is outlined in its own colour. */
import { UserError } from '../../errors.js';
import type { BinaryMask, RgbImage } from '../../types.js';
import { enlargeChannels, enlargeImage } from './enlarge.js';
import type { Rgb } from './palette.js';

export interface MaskLayer {
  /** At the image's size. */
  readonly mask: BinaryMask;
  readonly color: Rgb;
}

/** Share of the colour that a faded pixel loses, and of the white that it gains. */
const FADE = 0.7;
const LIGHTEN = 0.25;
const TINT = 0.45;
/** What is left of the light of a darkened image. */
const DARKEN = 0.4;
const WHITE: Rgb = [255, 255, 255];
/** Opacity of the white line around each mask. */
const WHITE_LINE = 0.7;

/** What becomes of the image: it fades to pale grey, keeps its colours, or turns dark (the paper's Figure 4). */
export type Backdrop = 'pale' | 'natural' | 'dark';

interface LargeMask {
  /** 1 inside, 0 outside. */
  readonly inside: Uint8Array;
  readonly height: number;
  readonly width: number;
}

/**
 * The image with all masks, `scale` times as large. Where masks overlap their tints mix; all outlines stay visible.
 * @throws UserError when a mask is not of the image's size.
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

/** Faded copy of RGB pixels: mostly grey and a little lighter, so that tints are the only strong colours. */
function fade(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 3) {
    const [r, g, b] = [data[at] as number, data[at + 1] as number, data[at + 2] as number];
    const grey = 0.299 * r + 0.587 * g + 0.114 * b;
    for (let channel = 0; channel < 3; channel++) {
      const faded = (data[at + channel] as number) * (1 - FADE) + grey * FADE;
      out[at + channel] = Math.round(faded + (255 - faded) * LIGHTEN);
    }
  }
  return out;
}

/** The mask at the enlarged size, its staircase smoothed. */
function enlargeMask({ data, height, width }: BinaryMask, scale: number): LargeMask {
  const field = scale === 1 ? data : enlargeChannels(data, height, width, 1, scale);
  return {
    inside: Uint8Array.from(field, (value) => (value >= 0.5 ? 1 : 0)),
    height: height * scale,
    width: width * scale,
  };
}

/** Solid line along the inner edge, with a thin white line outside that sets it off from tints of like colour. */
function drawOutline(data: Uint8Array, mask: LargeMask, color: Rgb, thickness: number): void {
  const distances = edgeDistances(mask, Math.ceil(thickness) + 1);
  for (let pixel = 0; pixel < distances.length; pixel++) {
    const distance = distances[pixel] as number;
    if (mask.inside[pixel] === 1) blend(data, pixel, color, clip(thickness + 1 - distance));
    else blend(data, pixel, WHITE, WHITE_LINE * clip(2 - distance));
  }
}

/** From the centre of each pixel to that of the nearest pixel of the other kind; Infinity beyond `reach`. */
function edgeDistances({ inside, height, width }: LargeMask, reach: number): Float32Array {
  const squares = new Float32Array(inside.length).fill(Infinity);
  // The nearest pixel of the other kind always has a direct neighbour of one's own kind: only such edges are visited.
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const kind = inside[y * width + x];
      const isEdge =
        (x > 0 && inside[y * width + x - 1] !== kind) ||
        (x + 1 < width && inside[y * width + x + 1] !== kind) ||
        (y > 0 && inside[(y - 1) * width + x] !== kind) ||
        (y + 1 < height && inside[(y + 1) * width + x] !== kind);
      if (!isEdge) continue;
      for (let ny = Math.max(0, y - reach); ny <= Math.min(height - 1, y + reach); ny++) {
        for (let nx = Math.max(0, x - reach); nx <= Math.min(width - 1, x + reach); nx++) {
          const near = ny * width + nx;
          const square = (nx - x) ** 2 + (ny - y) ** 2;
          if (inside[near] !== kind && square < (squares[near] as number)) squares[near] = square;
        }
      }
    }
  }
  return squares.map(Math.sqrt);
}

function clip(value: number): number {
  return Math.min(1, Math.max(0, value));
}

function blend(data: Uint8Array, pixel: number, color: Rgb, alpha: number): void {
  if (alpha === 0) return;
  for (let channel = 0; channel < 3; channel++) {
    const at = pixel * 3 + channel;
    data[at] = Math.round((data[at] as number) * (1 - alpha) + (color[channel] as number) * alpha);
  }
}
