/**
 * COCO's run-length encoded masks, to the pixel as pycocotools has them (cocoapi common/maskApi.c): runs of 0 and 1 in
 * turn, beginning with 0, down the columns of the image. Our masks are row by row, so encoding and decoding transpose.
 */
import { UserError } from '../../errors.js';
import type { BinaryMask } from '../../types.js';

export interface Rle {
  /** [height, width]. */
  readonly size: readonly [number, number];
  /** Lengths of the runs of 0, 1, 0, … down the columns; their sum is height × width. */
  readonly counts: readonly number[];
}

/** Largest mask that is accepted (16384 × 16384): bounds the memory that a hostile size can ask for. */
export const MAX_PIXELS = 2 ** 28;

/** Coordinates beyond this many pixels are refused: nothing in an image lies there, and outlines are walked step by step. */
export const MAX_COORDINATE = 100_000;

/** @throws UserError unless height and width are positive whole numbers within MAX_PIXELS. */
export function checkMaskSize(height: number, width: number): void {
  const fits = (x: number): boolean => Number.isInteger(x) && x > 0;
  if (fits(height) && fits(width) && height * width <= MAX_PIXELS) return;
  throw new UserError(
    `Reading a mask: its size is ${height} × ${width}; expected positive whole numbers, ` +
      `at most ${MAX_PIXELS} pixels together. Correct the height and width of the image or segmentation.`,
  );
}

/** A mask without a pixel inside. */
export function emptyRle(height: number, width: number): Rle {
  return { size: [height, width], counts: [height * width] };
}

/** Checks the runs and takes them over. @throws UserError where they do not fill the mask exactly. */
export function rleFromCounts(counts: readonly unknown[], height: number, width: number): Rle {
  checkMaskSize(height, width);
  const pixels = height * width;
  let sum = 0;
  const runs: number[] = [];
  for (const [i, count] of counts.entries()) {
    if (typeof count !== 'number' || !Number.isInteger(count) || count < 0 || count > pixels) {
      throw badRuns(`run ${i} is ${shown(count)}`, height, width);
    }
    sum += count;
    runs.push(count);
  }
  if (sum !== pixels) throw badRuns(`the runs add up to ${sum}`, height, width);
  return { size: [height, width], counts: runs };
}

/** Decodes COCO's compressed counts: 5 bits a character, each run as difference to the one before the last. */
export function rleFromString(text: string, height: number, width: number): Rle {
  checkMaskSize(height, width);
  const counts: number[] = [];
  let value = 0;
  let digits = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i) - 48;
    if (code < 0 || code > 63) throw badRuns(`character ${i} of the compressed counts is not one`, height, width);
    // 7 digits of 5 bits hold any run of MAX_PIXELS.
    if (digits === 7) throw badRuns(`the number that ends at character ${i} is too long`, height, width);
    value += (code & 0x1f) * 32 ** digits;
    digits++;
    if ((code & 0x20) !== 0) continue;
    if ((code & 0x10) !== 0) value -= 32 ** digits;
    if (counts.length > 2) value += counts[counts.length - 2] ?? 0;
    counts.push(value);
    value = 0;
    digits = 0;
  }
  if (digits !== 0) throw badRuns('the compressed counts end within a number', height, width);
  return rleFromCounts(counts, height, width);
}

export function rleToString(rle: Rle): string {
  const codes: number[] = [];
  for (const [i, count] of rle.counts.entries()) {
    let value = i > 2 ? count - (rle.counts[i - 2] ?? 0) : count;
    for (let more = true; more;) {
      const digit = value & 0x1f;
      value >>= 5;
      more = (digit & 0x10) !== 0 ? value !== -1 : value !== 0;
      codes.push(digit + (more ? 0x20 : 0) + 48);
    }
  }
  const text: string[] = [];
  for (let i = 0; i < codes.length; i += 4096) text.push(String.fromCharCode(...codes.slice(i, i + 4096)));
  return text.join('');
}

export function encodeMask(mask: BinaryMask): Rle {
  const { data, height, width } = mask;
  const counts: number[] = [];
  let current = 0;
  let run = 0;
  for (let x = 0; x < width; x++) {
    for (let i = x; i < data.length; i += width) {
      const value = data[i] === 0 ? 0 : 1;
      if (value !== current) {
        counts.push(run);
        run = 0;
        current = value;
      }
      run++;
    }
  }
  counts.push(run);
  return { size: [height, width], counts };
}

/** @param data of a mask to which this one is added, row by row; default a new one */
export function decodeMask(rle: Rle, data = new Uint8Array(rle.size[0] * rle.size[1])): BinaryMask {
  const [height, width] = rle.size;
  let start = 0;
  let inside = false;
  for (const count of rle.counts) {
    if (inside) {
      let x = Math.floor(start / height);
      let y = start - x * height;
      let index = y * width + x;
      for (let left = count; left > 0; left--) {
        data[index] = 1;
        index += width;
        if (++y === height) {
          y = 0;
          index = ++x;
        }
      }
    }
    start += count;
    inside = !inside;
  }
  return { data, height, width };
}

/** Union of masks of one size, or what they have in common. */
export function mergeRles(rles: readonly Rle[], intersect = false): Rle {
  const [first, ...others] = rles;
  if (first === undefined) throw new Error('mergeRles: nothing to merge');
  return others.reduce((merged, other) => mergedPair(merged, other, intersect), first);
}

function mergedPair(a: Rle, b: Rle, intersect: boolean): Rle {
  if (a.size[0] !== b.size[0] || a.size[1] !== b.size[1]) {
    throw new Error(`masks of ${a.size.join(' × ')} and ${b.size.join(' × ')} pixels cannot be compared`);
  }
  const counts: number[] = [];
  let [i, j, run] = [0, 0, 0];
  let inside = false;
  let [leftA, leftB] = [a.counts[0] ?? 0, b.counts[0] ?? 0];
  // In stretches over which neither mask changes.
  while (i < a.counts.length && j < b.counts.length) {
    const length = Math.min(leftA, leftB);
    const [inA, inB] = [i % 2 === 1, j % 2 === 1];
    const now = intersect ? inA && inB : inA || inB;
    if (length > 0 && now !== inside) {
      counts.push(run);
      run = 0;
      inside = now;
    }
    run += length;
    leftA -= length;
    leftB -= length;
    if (leftA === 0) leftA = a.counts[++i] ?? 0;
    if (leftB === 0) leftB = b.counts[++j] ?? 0;
  }
  counts.push(run);
  return { size: a.size, counts };
}

/** Number of pixels inside. */
export function rleArea(rle: Rle): number {
  let area = 0;
  for (let i = 1; i < rle.counts.length; i += 2) area += rle.counts[i] ?? 0;
  return area;
}

/** [x, y, width, height] of the smallest box around the pixels inside; all 0 for an empty mask. */
export function rleBox(rle: Rle): [number, number, number, number] {
  const [height, width] = rle.size;
  let [xMin, yMin, xMax, yMax] = [width, height, -1, -1];
  let start = 0;
  for (const [i, count] of rle.counts.entries()) {
    const last = start + count - 1;
    if (i % 2 === 1 && count > 0) {
      const [x0, x1] = [Math.floor(start / height), Math.floor(last / height)];
      xMin = Math.min(xMin, x0);
      xMax = Math.max(xMax, x1);
      // A run that goes on in the next column touches the lower and the upper edge.
      yMin = Math.min(yMin, x0 === x1 ? start - x0 * height : 0);
      yMax = Math.max(yMax, x0 === x1 ? last - x1 * height : height - 1);
    }
    start += count;
  }
  return xMax < 0 ? [0, 0, 0, 0] : [xMin, yMin, xMax - xMin + 1, yMax - yMin + 1];
}

/** Intersection over union, 0 for disjoint masks. */
export function rleIou(a: Rle, b: Rle): number {
  const intersection = rleArea(mergeRles([a, b], true));
  return intersection === 0 ? 0 : intersection / rleArea(mergeRles([a, b]));
}

/** Any value, for an error message: of lists and objects, which may be deep or refuse to be a text, only the kind. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) {
    const isShort = value.length <= 4 && value.every((item) => typeof item === 'number');
    return isShort ? `[${value.join(',')}]` : `a list of ${value.length}`;
  }
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value);
}

function badRuns(found: string, height: number, width: number): UserError {
  return new UserError(
    `Reading a run-length encoded mask of ${height} × ${width}: ${found}; expected runs from 0 to ${height * width} ` +
      `that add up to it. Correct "counts" or "size" of the segmentation.`,
  );
}
