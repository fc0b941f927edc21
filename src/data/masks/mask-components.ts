/** Connected parts of a mask: pixels that share a side. Pixels that meet at a corner alone are two parts. */
import type { BinaryMask } from '../../types.js';

export interface Components {
  /** Number of each pixel's part, row by row; 0 outside, the parts from 1 on in the order of their first pixels. */
  readonly labels: Int32Array;
  readonly count: number;
}

export function maskComponents({ data, height, width }: BinaryMask): Components {
  const labels = new Int32Array(height * width);
  const waiting: number[] = [];
  let count = 0;
  const take = (pixel: number): void => {
    if (data[pixel] === 0 || labels[pixel] !== 0) return;
    labels[pixel] = count;
    waiting.push(pixel);
  };
  for (let first = 0; first < data.length; first++) {
    if (data[first] === 0 || labels[first] !== 0) continue;
    count++;
    take(first);
    for (let pixel = waiting.pop(); pixel !== undefined; pixel = waiting.pop()) {
      const x = pixel % width;
      if (x > 0) take(pixel - 1);
      if (x < width - 1) take(pixel + 1);
      if (pixel >= width) take(pixel - width);
      if (pixel < data.length - width) take(pixel + width);
    }
  }
  return { labels, count };
}
