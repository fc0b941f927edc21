/**
 * Enlarging by a whole factor with Catmull-Rom splines, for pictures for people. (The model's input goes through
 * data/image-transforms, which equals Pillow's to the grey level.)
 */
import type { RgbImage } from '../../types.js';

/** Weights of the four nearest source samples for a position `t` in [0, 1) after the second of them. */
function catmullRom(t: number): readonly [number, number, number, number] {
  const t2 = t * t;
  const t3 = t2 * t;
  return [(-t + 2 * t2 - t3) / 2, (2 - 5 * t2 + 3 * t3) / 2, (t + 4 * t2 - 3 * t3) / 2, (t3 - t2) / 2];
}

/**
 * Enlarges interleaved channels [height, width, channels] to [height·scale, width·scale, channels]. Sample centres lie
 * at half pixels; the border is repeated outwards. Values may overshoot the input's range.
 */
export function enlargeChannels(
  data: ArrayLike<number>,
  height: number,
  width: number,
  channels: number,
  scale: number,
): Float32Array {
  const wide = enlargeAxis(data, height, width, channels, scale);
  return enlargeAxis(wide, 1, height, width * scale * channels, scale);
}

/** Enlarges the middle axis of [outer, length, inner]. */
function enlargeAxis(
  data: ArrayLike<number>,
  outer: number,
  length: number,
  inner: number,
  scale: number,
): Float32Array {
  const out = new Float32Array(outer * length * scale * inner);
  for (let to = 0; to < length * scale; to++) {
    const position = (to + 0.5) / scale - 0.5;
    const base = Math.floor(position);
    const weights = catmullRom(position - base);
    for (let tap = 0; tap < 4; tap++) {
      const from = Math.min(length - 1, Math.max(0, base - 1 + tap));
      const weight = weights[tap] as number;
      if (weight === 0) continue;
      for (let o = 0; o < outer; o++) {
        const source = (o * length + from) * inner;
        const target = (o * length * scale + to) * inner;
        for (let i = 0; i < inner; i++) {
          out[target + i] = (out[target + i] as number) + weight * (data[source + i] as number);
        }
      }
    }
  }
  return out;
}

/** The image `scale` times as large. */
export function enlargeImage(image: RgbImage, scale: number): RgbImage {
  if (scale === 1) return image;
  const values = enlargeChannels(image.data, image.height, image.width, 3, scale);
  return {
    // Uint8ClampedArray rounds and clips the overshoot of the splines.
    data: new Uint8Array(new Uint8ClampedArray(values).buffer),
    height: image.height * scale,
    width: image.width * scale,
  };
}

/** A whole factor that brings the longer side of small images to about `side` pixels; 1 for large ones. */
export function displayScale(image: { readonly height: number; readonly width: number }, side = 384): number {
  return Math.min(8, Math.max(1, Math.round(side / Math.max(image.height, image.width))));
}
