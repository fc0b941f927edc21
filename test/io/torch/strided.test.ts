/** Strided views: any view of any type, read in blocks of any size, equals the elements picked one by one. */
import { describe, expect, test } from '@jest/globals';
import { UserError } from '../../../src/errors.js';
import type { ByteSource } from '../../../src/io/byte-source.js';
import { memoryOpener } from '../../helpers/memory-opener.js';
import { type StridedView, checkView, elementCount, isContiguous, readStrided } from '../../../src/io/torch/strided.js';
import { Random } from '../../../src/random.js';

const fail = (what: string): never => {
  throw new UserError(what);
};

/** Element by element, as the definition of strides says. */
function picked(
  bytes: Uint8Array,
  position: number,
  { shape, strides, offset }: StridedView,
  width: number,
): Uint8Array {
  const out = new Uint8Array(elementCount(shape) * width);
  for (let element = 0; element * width < out.length; element++) {
    let rest = element;
    let at = offset;
    for (let i = shape.length - 1; i >= 0; i--) {
      const size = shape[i] as number;
      at += (rest % size) * (strides[i] as number);
      rest = Math.floor(rest / size);
    }
    const start = position + at * width;
    out.set(bytes.subarray(start, start + width), element * width);
  }
  return out;
}

function randomView(random: Random, length: number): StridedView | null {
  const shape = Array.from({ length: random.integer(5) }, () => random.integer(7));
  const strides = shape.map(() => random.integer(random.integer(2) === 0 ? 4 : 40));
  const view = { shape, strides, offset: random.integer(20) };
  try {
    checkView(view, length, fail);
    return view;
  } catch {
    return null;
  }
}

describe('readStrided', () => {
  const random = new Random(3);
  const bytes = Uint8Array.from({ length: 4096 }, () => random.integer(256));
  const read = (position: number, view: StridedView, width: number, blockBytes: number): Uint8Array =>
    memoryOpener(bytes, 'bytes')((source) => readStrided(source, position, view, width, blockBytes));

  test('3000 random views of 1, 2, 4 and 8 bytes in blocks of 8 bytes to 4 KiB', () => {
    let tried = 0;
    let strided = 0;
    while (tried < 3000) {
      const width = 2 ** random.integer(4);
      const position = random.integer(64);
      const view = randomView(random, Math.floor((bytes.length - position) / width));
      if (view === null) continue;
      tried++;
      if (!isContiguous(view)) strided++;
      const found = read(position, view, width, 8 * 2 ** random.integer(10));
      expect(Buffer.from(found).equals(picked(bytes, position, view, width))).toBe(true);
    }
    expect(strided).toBeGreaterThan(1000);
  });

  test('transposed matrices larger than a tile, with blocks that end within a row', () => {
    for (const [rows, columns] of [
      [30, 34],
      [34, 30],
      [65, 15],
      [3, 300],
    ] as const) {
      const view = { shape: [columns, rows], strides: [1, columns], offset: 2 };
      for (const block of [4, 100, 1000, 4096]) {
        expect(Buffer.from(read(8, view, 4, block)).equals(picked(bytes, 8, view, 4))).toBe(true);
      }
    }
  });

  test('a signalling NaN of 64 bits keeps its bits', () => {
    const nan = Buffer.from('0100000000000ff40000000000000080', 'hex');
    const doubled = Buffer.concat([nan, nan]);
    const view = { shape: [2, 2], strides: [1, 1], offset: 0 };
    const found = memoryOpener(doubled, 'nan')((source) => readStrided(source, 0, view, 8));
    expect(Buffer.from(found).equals(picked(doubled, 0, view, 8))).toBe(true);
  });

  test('a contiguous view is read at once into the result, others in blocks of the size asked for', () => {
    const reads: [number, number][] = [];
    const source: ByteSource = {
      size: bytes.length,
      readInto: (position, target) => {
        reads.push([position, target.length]);
      },
    };
    readStrided(source, 16, { shape: [10, 5], strides: [5, 1], offset: 3 }, 4, 40);
    expect(reads.splice(0)).toEqual([[28, 200]]);
    readStrided(source, 16, { shape: [5, 10], strides: [1, 5], offset: 3 }, 4, 80);
    expect(reads.splice(0)).toEqual([
      [28, 80],
      [108, 80],
      [188, 40],
    ]);
    readStrided(source, 16, { shape: [5, 0], strides: [1, 5], offset: 3 }, 4, 80);
    expect(reads).toEqual([]);
  });
});

describe('checkView', () => {
  const check = (shape: number[], strides: number[], offset: number, length: number) => () =>
    checkView({ shape, strides, offset }, length, fail);

  test('views that reach outside, repeat elements at large or have odd numbers are refused', () => {
    expect(check([4], [1], 0, 4)).not.toThrow();
    expect(check([4], [1], 1, 4)).toThrow('its last element is number 4 of a storage of 4');
    expect(check([2, 2], [3, 1], 0, 4)).toThrow('last element');
    expect(check([1000], [0], 0, 1)).toThrow('1000 elements in a storage of 1: an expanded view');
    expect(check([2], [-1], 1, 4)).toThrow('-1 is not a count');
    expect(check([2], [1], -1, 4)).toThrow('not a count');
    expect(check([1.5], [1], 0, 4)).toThrow('not a count');
    expect(check([2], [1, 1], 0, 4)).toThrow('1 sizes but 2 strides');
  });

  test('products and sums beyond 2^53 are refused, an empty view of any extent is not', () => {
    expect(check([2 ** 40, 2 ** 40], [0, 0], 0, 4)).toThrow(UserError);
    expect(check([2 ** 53 - 1], [2 ** 53 - 1], 2 ** 53 - 1, 4)).toThrow(UserError);
    expect(check(Array(64).fill(2 ** 53 - 1) as number[], Array(64).fill(0) as number[], 0, 4)).toThrow(UserError);
    expect(check([0, 2 ** 40, 2 ** 40], [1, 1, 1], 99, 0)).not.toThrow();
  });
});
