/**
 * Scenes of the embedded benchmark: 2–8 coloured shapes, partly overlapping, in an image of varying size. A scene is a
 * pure function of its seed: geometry and, per pixel, the visible object (the ground truth of every mask); render.ts
 * makes the picture.
 */
import { Random } from '../random.js';
import type { BinaryMask } from '../types.js';
import {
  COLOURS,
  type Colour,
  insideDistance,
  outlineBounds,
  type Pose,
  type Shape,
  SHAPES,
  toLocal,
} from './shapes.js';

const TEXTURES = ['plain', 'stripes', 'dots', 'noise', 'gradient'] as const;

/** Uses of scenes. Scenes of two uses are never the same for one seed. New uses come last: a place is a seed. */
export const SYNTH_SPLITS = [
  ...['train', 'val', 'testA', 'testB', 'base'],
  ...['sem-seg', 'sem-seg-val', 'res', 'res-val', 'vqa', 'vqa-val', 'reason', 'reason-val'],
] as const;
export type SynthSplit = (typeof SYNTH_SPLITS)[number];

/** At least this share of every object is visible. */
export const MIN_VISIBLE = 0.55;
const MAX_OBJECTS = 8;

export interface SceneObject extends Pose {
  readonly colour: Colour;
  readonly texture: (typeof TEXTURES)[number];
  /** Direction of stripes or gradient (radians) and strength of the texture (share of the brightness). */
  readonly textureAngle: number;
  readonly textureStrength: number;
  /** Added to the colour's R, G and B. */
  readonly tint: readonly [number, number, number];
  /** Visible pixels over all pixels of the shape, in [MIN_VISIBLE, 1]. */
  readonly visibility: number;
  /** Visible pixels. */
  readonly area: number;
  /** Centroid of the visible pixels, in pixels: what "left", "above" and grid cells refer to. */
  readonly centre: readonly [number, number];
}

export interface Scene {
  readonly width: number;
  readonly height: number;
  /** Back to front. */
  readonly objects: readonly SceneObject[];
  /** Row-major, 0 = background, i + 1 = object i is what is seen. `length === height * width`. */
  readonly instances: Uint8Array;
  /** Background colour and the seed of all noise in the picture. */
  readonly background: readonly [number, number, number];
  readonly noiseSeed: number;
}

/** Weights of 2, 3, … 8 objects. */
const COUNT_WEIGHTS = [2, 5, 6, 5, 2, 1, 1];
const SPLIT_STRIDE = 0x10000000;

/**
 * Scene `index` (below 2^28) of a split. The same seed gives the same scenes for ever; different indices and splits
 * give different generator states (Random.fork is one-to-one).
 */
export function synthScene(seed: number, split: SynthSplit, index: number): Scene {
  const random = sceneRandom(seed, split, index);
  const longest = 112 + random.integer(65);
  // Aspect ratios 0.87–1.15: CLIP's centre crop then loses less than half an object's radius at any border.
  const shorter = Math.round(longest * (1 - 0.13 * random.uniform()));
  const [width, height] = random.uniform() < 0.5 ? [longest, shorter] : [shorter, longest];
  const count = 2 + weightedIndex(random, COUNT_WEIGHTS);
  const level = 62 + random.integer(62);
  const warmth = random.uniform() < 0.5 ? random.integer(18) : 0;
  const background: [number, number, number] = [level + warmth, level + Math.round(warmth * 0.4), level - warmth];
  const canvas = new Canvas(width, height);
  const radiusRange: [number, number] = count > 5 ? [0.07, 0.105] : [0.075, 0.14];
  for (let i = 0; i < count; i++) {
    const kind = drawKind(random, canvas.placed);
    const look = drawLook(random);
    for (let attempt = 0; attempt < 60; attempt++) {
      const pose = drawPose(random, kind.shape, width, height, radiusRange);
      const apart = random.uniform() < 0.6 ? 1.1 : 0.7;
      if (canvas.place(pose, { ...kind, ...look }, apart)) break;
    }
  }
  const { instances } = canvas;
  return { width, height, background, noiseSeed: random.uint32(), objects: canvas.objects(), instances };
}

/** The generator that `synthScene` starts from; its forks serve what else is drawn for the same image. */
export function sceneRandom(seed: number, split: SynthSplit, index: number): Random {
  return new Random(seed).fork(SYNTH_SPLITS.indexOf(split) * SPLIT_STRIDE + index);
}

/** The visible pixels of one object, or of several together. */
export function visibleMask(scene: Scene, objects: readonly number[]): BinaryMask {
  const wanted = new Uint8Array(MAX_OBJECTS + 1);
  for (const index of objects) wanted[index + 1] = 1;
  return { width: scene.width, height: scene.height, data: scene.instances.map((id) => wanted[id] as number) };
}

type Kind = Pick<SceneObject, 'colour' | 'shape'>;
type Look = Pick<SceneObject, 'texture' | 'textureAngle' | 'textureStrength' | 'tint'>;
interface Placed extends Pose, Kind, Look {
  readonly pixels: number;
  visible: number;
}

/** Colour and shape; every third object shares one or both with an earlier one: expressions must discriminate. */
function drawKind(random: Random, placed: readonly Kind[]): Kind {
  const colour = random.pick(COLOURS);
  const shape: Shape = random.pick(SHAPES);
  if (placed.length === 0) return { colour, shape };
  const other = random.pick(placed);
  const share = random.uniform();
  if (share < 0.12) return { colour: other.colour, shape: other.shape };
  if (share < 0.27) return { colour, shape: other.shape };
  if (share < 0.37) return { colour: other.colour, shape };
  return { colour, shape };
}

function drawLook(random: Random): Look {
  const tint = (): number => Math.round((random.uniform() - 0.5) * 28);
  return {
    texture: random.pick(TEXTURES),
    textureAngle: random.uniform() * Math.PI,
    textureStrength: 0.1 + 0.12 * random.uniform(),
    tint: [tint(), tint(), tint()],
  };
}

/** Anywhere such that the whole shape is inside the image. */
function drawPose(random: Random, shape: Shape, width: number, height: number, range: [number, number]): Pose {
  const radius = Math.max(width, height) * (range[0] + (range[1] - range[0]) * random.uniform());
  const angle = shape === 'circle' ? 0 : (random.uniform() - 0.5) * 0.4;
  const [left, top, right, bottom] = outlineBounds({ shape, x: 0, y: 0, radius, angle });
  const x = 1 - left + random.uniform() * (width - 2 - (right - left));
  const y = 1 - top + random.uniform() * (height - 2 - (bottom - top));
  return { shape, x, y, radius, angle };
}

/** A place of the list, drawn by its weights. */
export function weightedIndex(random: Random, weights: readonly number[]): number {
  let rest = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  const found = weights.findIndex((weight) => (rest -= weight) < 0);
  return Math.max(0, found);
}

/** Paints objects back to front into an id map and refuses one that would hide too much of another. */
class Canvas {
  readonly instances: Uint8Array;
  readonly placed: Placed[] = [];

  constructor(
    private readonly width: number,
    private readonly height: number,
  ) {
    this.instances = new Uint8Array(width * height);
  }

  /** `apart`: least distance of two centres as a multiple of the sum of the radii. */
  place(pose: Pose, kindAndLook: Kind & Look, apart: number): boolean {
    for (const other of this.placed) {
      if (Math.hypot(pose.x - other.x, pose.y - other.y) < apart * (pose.radius + other.radius)) return false;
    }
    const pixels = coveredPixels(pose, this.width, this.height);
    const hidden = new Uint32Array(MAX_OBJECTS + 1);
    for (const pixel of pixels) {
      const id = this.instances[pixel] as number;
      hidden[id] = (hidden[id] as number) + 1;
    }
    const leftOf = (other: Placed, i: number): number => other.visible - (hidden[i + 1] as number);
    if (this.placed.some((other, i) => leftOf(other, i) < MIN_VISIBLE * other.pixels)) return false;
    this.placed.forEach((other, i) => (other.visible = leftOf(other, i)));
    this.placed.push({ ...pose, ...kindAndLook, pixels: pixels.length, visible: pixels.length });
    for (const pixel of pixels) this.instances[pixel] = this.placed.length;
    return true;
  }

  objects(): SceneObject[] {
    const sums = this.placed.map(() => ({ x: 0, y: 0 }));
    this.instances.forEach((id, pixel) => {
      const sum = sums[id - 1];
      if (sum === undefined) return;
      sum.x += (pixel % this.width) + 0.5;
      sum.y += Math.floor(pixel / this.width) + 0.5;
    });
    return this.placed.map(({ pixels, visible, ...rest }, i) => {
      const { x, y } = sums[i] as { x: number; y: number };
      return { ...rest, visibility: visible / pixels, area: visible, centre: [x / visible, y / visible] };
    });
  }
}

/** Indices of the pixels whose centre lies inside the shape. */
function coveredPixels(pose: Pose, width: number, height: number): number[] {
  const [left, top, right, bottom] = outlineBounds(pose);
  const pixels: number[] = [];
  for (let y = Math.max(0, Math.floor(top)); y < Math.min(height, Math.ceil(bottom)); y++) {
    for (let x = Math.max(0, Math.floor(left)); x < Math.min(width, Math.ceil(right)); x++) {
      const [u, v] = toLocal(pose, x + 0.5, y + 0.5);
      if (insideDistance(pose.shape, u, v) >= 0) pixels.push(y * width + x);
    }
  }
  return pixels;
}
