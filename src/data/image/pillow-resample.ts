/**
 * Image resizing equal to Pillow's to the grey level (Pillow, src/libImaging/Resample.c): separable filters widened
 * when shrinking (antialiasing), horizontal pass first, both passes in integers with weights of 22 fractional bits, the
 * result of the first pass rounded to 8 bits. Other libraries differ by up to 60 grey levels when enlarging, and the
 * published encoders were trained on Pillow's pictures. Pillow from 13.0 on runs the vertical pass first where the
 * height shrinks far more than the width; resizing here keeps aspect ratios, and the reference was made with earlier
 * versions.
 */
import type { RgbImage } from '../../types.js';

export type ResampleFilter = 'bilinear' | 'bicubic';

interface Kernel {
  /** Half width in source pixels when not shrinking. */
  readonly support: number;
  readonly weight: (x: number) => number;
}

const KERNELS: Readonly<Record<ResampleFilter, Kernel>> = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: bicubic },
};

/** Keys' cubic convolution with a = -0.5, as Pillow has it (OpenCV and PyTorch use -0.75). */
function bicubic(x: number): number {
  const a = -0.5;
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return (((d - 5) * d + 8) * d - 4) * a;
  return 0;
}

/** Fractional bits of the integer weights: 32 less 8 for the value and 2 for sums beyond 1. */
const PRECISION = 22;
const HALF = 1 << (PRECISION - 1);

/** For output position i: source positions first[i] .. first[i] + count[i] - 1 with weights from i * stride on. */
interface Weights {
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly values: Int32Array;
  readonly stride: number;
}

function weightsFor(from: number, to: number, kernel: Kernel): Weights {
  const scale = from / to;
  const widening = Math.max(scale, 1);
  const support = kernel.support * widening;
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const values = new Int32Array(to * stride);
  const exact = new Float64Array(stride);
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(center - support + 0.5));
    const length = Math.min(from, Math.trunc(center + support + 0.5)) - begin;
    let sum = 0;
    for (let k = 0; k < length; k++) {
      // Multiplied by the reciprocal, not divided: the last bit decides ties.
      const weight = kernel.weight((k + begin - center + 0.5) * (1 / widening));
      exact[k] = weight;
      sum += weight;
    }
    first[i] = begin;
    count[i] = length;
    for (let k = 0; k < length; k++) {
      const weight = (exact[k] as number) / sum;
      values[i * stride + k] = Math.trunc(weight * 2 ** PRECISION + (weight < 0 ? -0.5 : 0.5));
    }
  }
  return { first, count, values, stride };
}

/** Resizes as `PIL.Image.resize((width, height), filter)` does; sizes in pixels, at least 1. */
export function resizePillow(image: RgbImage, height: number, width: number, filter: ResampleFilter): RgbImage {
  for (const size of [height, width, image.height, image.width]) {
    if (!Number.isInteger(size) || size < 1) {
      throw new Error(`resizePillow: cannot resize ${image.height}x${image.width} to ${height}x${width}`);
    }
  }
  const kernel = KERNELS[filter];
  // As in Pillow, a pass that would not change the size is left out.
  const wide = width === image.width ? image : resizeWidth(image, width, kernel);
  if (height === image.height) return { ...wide, data: wide === image ? image.data.slice() : wide.data };
  return resizeHeight(wide, height, kernel);
}

function resizeWidth(image: RgbImage, width: number, kernel: Kernel): RgbImage {
  const { data: source, height } = image;
  const { first, count, values, stride } = weightsFor(image.width, width, kernel);
  const data = new Uint8ClampedArray(height * width * 3);
  let out = 0;
  for (let y = 0; y < height; y++) {
    const row = y * image.width * 3;
    for (let x = 0; x < width; x++) {
      let at = row + (first[x] as number) * 3;
      const begin = x * stride;
      const end = begin + (count[x] as number);
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      for (let k = begin; k < end; k++) {
        const weight = values[k] as number;
        red += (source[at] as number) * weight;
        green += (source[at + 1] as number) * weight;
        blue += (source[at + 2] as number) * weight;
        at += 3;
      }
      data[out] = red >> PRECISION;
      data[out + 1] = green >> PRECISION;
      data[out + 2] = blue >> PRECISION;
      out += 3;
    }
  }
  return { data: new Uint8Array(data.buffer), height, width };
}

/** Row by row with a row of running sums, so that memory is read in order. */
function resizeHeight(image: RgbImage, height: number, kernel: Kernel): RgbImage {
  const { data: source, width } = image;
  const { first, count, values, stride } = weightsFor(image.height, height, kernel);
  const rowLength = width * 3;
  const data = new Uint8ClampedArray(height * rowLength);
  const sums = new Int32Array(rowLength);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let k = 0; k < (count[y] as number); k++) {
      const weight = values[y * stride + k] as number;
      const row = ((first[y] as number) + k) * rowLength;
      for (let i = 0; i < rowLength; i++) {
        sums[i] = (sums[i] as number) + (source[row + i] as number) * weight;
      }
    }
    const out = y * rowLength;
    for (let i = 0; i < rowLength; i++) data[out + i] = (sums[i] as number) >> PRECISION;
  }
  return { data: new Uint8Array(data.buffer), height, width };
}
