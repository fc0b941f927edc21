/** Prompts for the base's SAM: points, or a box, of a random object of a scene, and the object's visible mask. */
import type { Random } from '../random.js';
import type { BinaryMask } from '../types.js';
import { type Scene, visibleMask } from './scene.js';

export interface PromptPoint {
  /** Pixels of the scene's image. */
  readonly x: number;
  readonly y: number;
  readonly label: 0 | 1 | 2 | 3;
}

export interface MaskPromptSample {
  readonly points: readonly PromptPoint[];
  readonly mask: BinaryMask;
}

/** A box's corners are moved by up to this share of its sides. */
const BOX_JITTER = 0.1;
const BOX_SHARE = 0.4;
/** Share of the point prompts that have a background point too. */
const NEGATIVE_SHARE = 0.3;

/** `count` prompts; all objects are asked for about equally often. */
export function sampleMaskPrompts(scene: Scene, random: Random, count: number): MaskPromptSample[] {
  const order = random.shuffle(scene.objects.map((_, index) => index));
  return Array.from({ length: count }, (_, i) => {
    const mask = visibleMask(scene, [order[i % order.length] as number]);
    const isBox = random.uniform() < BOX_SHARE;
    return { mask, points: isBox ? boxAround(mask, random) : pointsIn(mask, random) };
  });
}

function pointsIn(mask: BinaryMask, random: Random): PromptPoint[] {
  const inside = pixelsWith(mask, 1);
  const at = (pixels: readonly number[], label: 0 | 1): PromptPoint => {
    const pixel = random.pick(pixels);
    return { x: (pixel % mask.width) + 0.5, y: Math.floor(pixel / mask.width) + 0.5, label };
  };
  const foreground = at(inside, 1);
  return random.uniform() < NEGATIVE_SHARE ? [foreground, at(pixelsWith(mask, 0), 0)] : [foreground];
}

function boxAround(mask: BinaryMask, random: Random): PromptPoint[] {
  const inside = pixelsWith(mask, 1);
  const xs = inside.map((pixel) => pixel % mask.width);
  const ys = inside.map((pixel) => Math.floor(pixel / mask.width));
  const [left, right] = [Math.min(...xs), Math.max(...xs) + 1];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys) + 1];
  const moved = (edge: number, side: number): number => edge + (2 * random.uniform() - 1) * BOX_JITTER * side;
  return [
    { x: moved(left, right - left), y: moved(top, bottom - top), label: 2 },
    { x: moved(right, right - left), y: moved(bottom, bottom - top), label: 3 },
  ];
}

function pixelsWith(mask: BinaryMask, value: number): number[] {
  const pixels: number[] = [];
  mask.data.forEach((found, pixel) => {
    if (found === value) pixels.push(pixel);
  });
  return pixels;
}
