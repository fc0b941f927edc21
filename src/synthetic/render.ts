/**
 * The picture of a scene: noisy grey or brownish ground, textured shapes with a darkened rim and anti-aliased edges. A
 * pure function of the scene; all noise comes from its `noiseSeed`.
 */
import { writeFile } from 'node:fs/promises';
import { encodeJpeg } from '../io/image/image-file.js';
import { Random } from '../random.js';
import type { RgbImage } from '../types.js';
import type { Scene, SceneObject } from './scene.js';
import { COLOUR_RGB, insideDistance, outlineBounds } from './shapes.js';

/** Sub-pixels per side where an outline crosses a pixel. */
const SUBPIXELS = 3;
/** Width of the darkened rim in pixels, and how dark it gets. */
const RIM_PIXELS = 1.6;
const RIM_DARKNESS = 0.3;
/** Pixels between the points of the background's low-frequency noise, and its amplitude in grey levels. */
const NOISE_CELL = 22;
const NOISE_AMPLITUDE = 26;
const GRAIN_AMPLITUDE = 9;
const JPEG_QUALITY = 90;

/** Renders a scene at its own size. */
export function renderScene(scene: Scene): RgbImage {
  const random = new Random(scene.noiseSeed);
  const pixels = paintBackground(scene, random);
  scene.objects.forEach((object, index) => {
    paintObject(scene, object, pixels, random.fork(index));
  });
  return { width: scene.width, height: scene.height, data: addGrain(pixels, random) };
}

/** Pictures encoded and written while the next scenes are rendered. */
export const IMAGES_AT_ONCE = 8;

export async function writePicture(path: string, scene: Scene): Promise<void> {
  await writeFile(path, await encodeJpeg(renderScene(scene), JPEG_QUALITY));
}

/** Float RGB of the ground: base colour plus one field of smooth noise for brightness and a weaker one for warmth. */
function paintBackground(scene: Scene, random: Random): Float32Array {
  const { width, height, background } = scene;
  const brightness = new SmoothNoise(random, width, height, NOISE_CELL);
  const warmth = new SmoothNoise(random, width, height, NOISE_CELL * 2);
  const pixels = new Float32Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      const light = NOISE_AMPLITUDE * brightness.at(x, y);
      const warm = 8 * warmth.at(x, y);
      pixels[at] = background[0] + light + warm;
      pixels[at + 1] = background[1] + light;
      pixels[at + 2] = background[2] + light - warm;
    }
  }
  return pixels;
}

function paintObject(scene: Scene, object: SceneObject, pixels: Float32Array, random: Random): void {
  const { width, height } = scene;
  const [left, top, right, bottom] = outlineBounds(object);
  const base = COLOUR_RGB[object.colour].map((value, channel) => value + (object.tint[channel] as number));
  const shade = textureOf(object, random);
  const cos = Math.cos(object.angle) / object.radius;
  const sin = Math.sin(object.angle) / object.radius;
  for (let y = Math.max(0, Math.floor(top) - 1); y < Math.min(height, Math.ceil(bottom) + 1); y++) {
    for (let x = Math.max(0, Math.floor(left) - 1); x < Math.min(width, Math.ceil(right) + 1); x++) {
      const dx = x + 0.5 - object.x;
      const dy = y + 0.5 - object.y;
      const u = dx * cos + dy * sin;
      const v = dy * cos - dx * sin;
      const depth = insideDistance(object.shape, u, v) * object.radius;
      if (depth < -1) continue;
      const cover = depth > 1 ? 1 : coverage(object, x, y, cos, sin);
      if (cover === 0) continue;
      const rim = 1 - RIM_DARKNESS * Math.max(0, 1 - Math.max(0, depth) / RIM_PIXELS);
      const light = shade(u, v) * rim;
      const at = (y * width + x) * 3;
      for (let channel = 0; channel < 3; channel++) {
        const under = pixels[at + channel] as number;
        pixels[at + channel] = under + cover * ((base[channel] as number) * light - under);
      }
    }
  }
}

/** Share of pixel (x, y) inside the shape, by a grid of sub-pixels. */
function coverage(object: SceneObject, x: number, y: number, cos: number, sin: number): number {
  let inside = 0;
  for (let j = 0; j < SUBPIXELS; j++) {
    for (let i = 0; i < SUBPIXELS; i++) {
      const dx = x + (i + 0.5) / SUBPIXELS - object.x;
      const dy = y + (j + 0.5) / SUBPIXELS - object.y;
      if (insideDistance(object.shape, dx * cos + dy * sin, dy * cos - dx * sin) >= 0) inside++;
    }
  }
  return inside / (SUBPIXELS * SUBPIXELS);
}

/** Brightness factor of an object's texture at local coordinates (u, v), around 1. */
function textureOf(object: SceneObject, random: Random): (u: number, v: number) => number {
  const strength = object.textureStrength;
  const cos = Math.cos(object.textureAngle);
  const sin = Math.sin(object.textureAngle);
  switch (object.texture) {
    case 'plain':
      return () => 1;
    case 'stripes':
      return (u, v) => 1 + strength * Math.max(-1, Math.min(1, 2.5 * Math.sin(9 * (u * cos + v * sin))));
    case 'dots':
      return (u, v) => {
        const p = (u * cos + v * sin) * 2;
        const q = (v * cos - u * sin) * 2;
        return 1 + strength * (Math.hypot(p - Math.round(p), q - Math.round(q)) < 0.28 ? -1.4 : 0.4);
      };
    case 'noise': {
      const noise = new SmoothNoise(random, 64, 64, 8);
      return (u, v) => 1 + 1.3 * strength * noise.at((u + 1.5) * 20, (v + 1.5) * 20);
    }
    case 'gradient':
      return (u, v) => 1 + 1.5 * strength * (u * cos + v * sin);
  }
}

/** Adds fine noise (triangular, the same for the three channels but for a small rest) and rounds to 8 bits. */
function addGrain(pixels: Float32Array, random: Random): Uint8Array {
  const out = new Uint8Array(pixels.length);
  for (let at = 0; at < pixels.length; at += 3) {
    const bits = random.uint32();
    const grain = (((bits & 255) + ((bits >>> 8) & 255)) / 255 - 1) * GRAIN_AMPLITUDE;
    const red = ((bits >>> 16) & 255) / 255 - 0.5;
    const blue = (bits >>> 24) / 255 - 0.5;
    out[at] = clampByte((pixels[at] as number) + grain + 6 * red);
    out[at + 1] = clampByte((pixels[at + 1] as number) + grain);
    out[at + 2] = clampByte((pixels[at + 2] as number) + grain + 6 * blue);
  }
  return out;
}

function clampByte(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : Math.round(value);
}

/** Value noise in [-1, 1]: random numbers on a lattice, interpolated smoothly. */
class SmoothNoise {
  private readonly columns: number;
  private readonly values: Float32Array;

  constructor(
    random: Random,
    width: number,
    height: number,
    private readonly cell: number,
  ) {
    this.columns = Math.ceil(width / cell) + 2;
    this.values = new Float32Array(this.columns * (Math.ceil(height / cell) + 2)).map(() => random.uniform() * 2 - 1);
  }

  at(x: number, y: number): number {
    const column = Math.floor(x / this.cell);
    const row = Math.floor(y / this.cell);
    const s = smoothStep(x / this.cell - column);
    const t = smoothStep(y / this.cell - row);
    const at = row * this.columns + column;
    const v = this.values;
    const upper = (v[at] as number) * (1 - s) + (v[at + 1] as number) * s;
    const lower = (v[at + this.columns] as number) * (1 - s) + (v[at + this.columns + 1] as number) * s;
    return upper * (1 - t) + lower * t;
  }
}

function smoothStep(t: number): number {
  return t * t * (3 - 2 * t);
}
