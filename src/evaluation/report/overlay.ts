/** Draws masks over an image: the image fades to pale grey, each mask tints it and is outlined in its own colour. */
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
const WHITE: Rgb = [255, 255, 255];
/** Opacity of the white line around each mask. */
const WHITE_LINE = 0.7;
/** Added before a number is cut to a byte, it rounds. */
const HALF = 0.5;

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
  { scale = 1 }: { readonly scale?: number } = {},
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
  const data = fade(large.data);
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

/** Faded copy of RGB pixels: mostly grey and a little lighter, so that tints are the only strong colours. */
function fade(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 3) {
    const [r, g, b] = [data[at] as number, data[at + 1] as number, data[at + 2] as number];
    const grey = 0.299 * r + 0.587 * g + 0.114 * b;
    for (let channel = 0; channel < 3; channel++) {
      const faded = (data[at + channel] as number) * (1 - FADE) + grey * FADE;
      out[at + channel] = faded + (255 - faded) * LIGHTEN + HALF;
    }
  }
  return out;
}

/** The mask at the enlarged size, its staircase smoothed. */
function enlargeMask({ data, height, width }: BinaryMask, scale: number): LargeMask {
  const field = scale === 1 ? data : enlargeChannels(data, height, width, 1, scale);
  const inside = new Uint8Array(field.length);
  for (let i = 0; i < field.length; i++) inside[i] = (field[i] as number) >= 0.5 ? 1 : 0;
  return { inside, height: height * scale, width: width * scale };
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
  const [toOutside, toInside] = [0, 1].map((kind) => rowDistances(inside, width, kind, reach)) as [
    Uint16Array,
    Uint16Array,
  ];
  const none = Infinity;
  const squares = new Float32Array(inside.length);
  for (let y = 0; y < height; y++) {
    const [first, last] = [Math.max(0, y - reach), Math.min(height - 1, y + reach)];
    for (let x = 0; x < width; x++) {
      const across = inside[y * width + x] === 1 ? toOutside : toInside;
      let least = none;
      for (let ny = first; ny <= last; ny++) {
        const dx = across[ny * width + x] as number;
        const square = dx * dx + (ny - y) * (ny - y);
        if (dx <= reach && square < least) least = square;
      }
      squares[y * width + x] = least;
    }
  }
  return squares.map(Math.sqrt);
}

/** From each pixel to the nearest one of a kind in its row; above `reach` where there is none so near. */
function rowDistances(inside: Uint8Array, width: number, kind: number, reach: number): Uint16Array {
  const out = new Uint16Array(inside.length);
  for (let row = 0; row < inside.length; row += width) {
    let distance = reach + 1;
    for (let at = row; at < row + width; at++) {
      if (inside[at] === kind) distance = 0;
      else if (distance <= reach) distance++;
      out[at] = distance;
    }
    distance = reach + 1;
    for (let at = row + width - 1; at >= row; at--) {
      if (inside[at] === kind) distance = 0;
      else if (distance <= reach) distance++;
      if (distance < (out[at] as number)) out[at] = distance;
    }
  }
  return out;
}

function clip(value: number): number {
  if (value > 1) return 1;
  return value > 0 ? value : 0;
}

function blend(data: Uint8Array, pixel: number, color: Rgb, alpha: number): void {
  if (alpha === 0) return;
  for (let channel = 0; channel < 3; channel++) {
    const at = pixel * 3 + channel;
    data[at] = (data[at] as number) * (1 - alpha) + (color[channel] as number) * alpha + HALF;
  }
}
