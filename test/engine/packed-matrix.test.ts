/**
 * Packed matrices on every engine that runs here: widening is exact for all bit patterns, products and gradients are
 * those of the widened matrix, whatever the sizes, and nothing is left behind.
 */
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from '@jest/globals';
import { startDryRun } from '../../src/engine/dry-run.js';
import { startEngine } from '../../src/engine/engine.js';
import { type PackedDtype, PackedMatrix } from '../../src/engine/packed-matrix.js';
import { findInstallation } from '../../src/engine/tensorflow-installation.js';
import * as tf from '../../src/engine/tf.js';
import { bfloat16ToFloat32, float32ToBfloat16, float32ToHalf, halfToFloat32 } from '../../src/half-float.js';
import { Random } from '../../src/random.js';
import { startWasmEngine } from '../helpers/wasm-engine.js';
import { largestDifference, normal, valuesOf } from '../helpers/tensors.js';

const DTYPES: readonly PackedDtype[] = ['BF16', 'F16'];
const hasTensorflow = findInstallation() !== null;
if (!hasTensorflow) process.stderr.write('packed matrices on tensorflow are not tested: it is not set up\n');
const ENGINES = ['cpu', 'wasm', 'fastest WASM', ...(hasTensorflow ? ['tensorflow'] : [])];

async function start(engine: string): Promise<void> {
  if (engine.includes('WASM')) await startWasmEngine();
  else await startEngine({ engine, threads: 2, device: 'cpu' });
}

/** Normal numbers, rounded to 16 bits: the patterns and what they stand for. */
function randomMatrix(rows: number, columns: number, dtype: PackedDtype): { bits: Uint16Array; values: Float32Array } {
  const random = new Random(rows * 1000 + columns);
  const numbers = Float32Array.from({ length: rows * columns }, () => random.normal());
  const bits = dtype === 'BF16' ? float32ToBfloat16(numbers) : float32ToHalf(numbers);
  return { bits, values: dtype === 'BF16' ? bfloat16ToFloat32(bits) : halfToFloat32(bits) };
}

/** Largest difference beside the largest number. */
function relativeError(found: tf.Tensor, expected: tf.Tensor): number {
  expect(found.shape).toEqual(expected.shape);
  const values = valuesOf(expected);
  return (
    largestDifference(valuesOf(found), values) / values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30)
  );
}

describe.each(ENGINES)('on %s', (engine) => {
  const left = (): number[] => {
    const { numTensors, numBytes } = tf.memory();
    return [numTensors, numBytes, tf.engine().backend.numDataIds()];
  };
  let before: number[] = [];
  beforeAll(async () => {
    await start(engine);
  });
  beforeEach(() => {
    before = left();
  });
  afterEach(() => {
    expect(left()).toEqual(before);
  });

  test.each(DTYPES)('widens all 65536 patterns of %s exactly, and gives them back', (dtype) => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const matrix = PackedMatrix.create(Uint16Array.from(patterns), dtype, 2048, 32);
    const wide = matrix.widen();
    expect(wide.shape).toEqual([2048, 32]);
    const found = new Uint32Array(Float32Array.from(valuesOf(wide)).buffer);
    const expected = new Uint32Array((dtype === 'BF16' ? bfloat16ToFloat32 : halfToFloat32)(patterns).buffer);
    const isNaNBits = (bits: number): boolean => (bits & 0x7fffffff) > 0x7f800000;
    // A NaN stays one; which one is nobody's business.
    const wrong = patterns.filter((i) => {
      const [a = 0, b = 0] = [found[i], expected[i]];
      return isNaNBits(b) ? !isNaNBits(a) : a !== b;
    });
    expect([...wrong]).toEqual([]);
    expect(matrix.bits()).toEqual(patterns);
    expect(matrix.bits(3, 2)).toEqual(patterns.subarray(96, 160));
    wide.dispose();
    matrix.dispose();
  });

  // Widths of whole vectors and others, one block and several, few and many rows of x.
  test.each(
    DTYPES.flatMap((dtype) =>
      [
        { rows: 5, columns: 7 },
        { rows: 37, columns: 48 },
        { rows: 3, columns: 64 },
        { rows: 37, columns: 17, blockSize: 100 },
        { rows: 35, columns: 32, blockSize: 100 },
        { rows: 3, columns: 32, blockSize: 1 },
      ].map((size) => ({ ...size, dtype })),
    ),
  )('multiplies as the widened matrix does: $dtype [$rows, $columns]', ({ rows, columns, dtype, ...size }) => {
    const { bits, values } = randomMatrix(rows, columns, dtype);
    const { blockSize } = size;
    const matrix = PackedMatrix.create(bits, dtype, rows, columns, blockSize);
    expect(matrix.bytes).toBe(2 * rows * columns);
    for (const shape of [[1], [3], [6], [2, 1]]) {
      tf.tidy(() => {
        const x = normal(new Random(7), [...shape, columns]);
        const plain = tf.tensor2d(values, [rows, columns]);
        const expected = tf.matMul<tf.Tensor2D>(tf.reshape(x, [-1, columns]), plain, false, true);
        expect(relativeError(matrix.multiply(x), tf.reshape(expected, [...shape, rows]))).toBeLessThan(1e-5);
      });
    }
    matrix.dispose();
  });

  test.each(DTYPES)('the gradient of x is that of the widened matrix; %s', (dtype) => {
    for (const [rows, columns, blockSize] of [
      [9, 5, 1000],
      [11, 32, 100],
    ] as const) {
      const { bits, values } = randomMatrix(rows, columns, dtype);
      const matrix = PackedMatrix.create(bits, dtype, rows, columns, blockSize);
      tf.tidy(() => {
        const x = normal(new Random(8), [2, 3, columns]);
        const plain = tf.transpose(tf.tensor2d(values, [rows, columns]));
        const product = (input: tf.Tensor): tf.Tensor =>
          tf.reshape(tf.matMul<tf.Tensor2D>(tf.reshape(input, [6, columns]), plain), [2, 3, rows]);
        const gradient = (f: (input: tf.Tensor) => tf.Tensor): tf.Tensor =>
          tf.grad((input: tf.Tensor) => tf.sum(tf.square(f(input))))(x);
        const found = gradient((input) => matrix.multiply(input));
        expect(relativeError(found, gradient(product))).toBeLessThan(1e-5);
      });
      matrix.dispose();
    }
  });

  test('gathers rows in any order', () => {
    const { bits, values } = randomMatrix(11, 18, 'BF16');
    const matrix = PackedMatrix.create(bits, 'BF16', 11, 18);
    tf.tidy(() => {
      const rows = matrix.gather(tf.tensor2d([10, 0, 3, 3], [2, 2], 'int32'));
      expect(rows.shape).toEqual([2, 2, 18]);
      const expected = [10, 0, 3, 3].flatMap((row) => [...values.subarray(18 * row, 18 * row + 18)]);
      expect([...valuesOf(rows)]).toEqual(expected);
      expect([...valuesOf(matrix.widen(9))]).toEqual([...values.subarray(18 * 9)]);
    });
    matrix.dispose();
  });

  test('begins with zeros where nothing else was given; a disposed one cannot be used', () => {
    const matrix = PackedMatrix.zeros(4, 16);
    const x = tf.ones([2, 16]);
    const y = matrix.multiply(x);
    expect([...valuesOf(y)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    matrix.dispose();
    expect(() => matrix.multiply(x)).toThrow('disposed');
    expect(() => PackedMatrix.create(new Uint16Array(3), 'F16', 2, 2)).toThrow('3 numbers');
    tf.dispose([x, y]);
  });

  test('refuses what does not fit', () => {
    const matrix = PackedMatrix.zeros(4, 3);
    tf.tidy(() => {
      expect(() => matrix.multiply(tf.zeros([2, 4]))).toThrow('float32 [..., 3]');
      expect(() => matrix.multiply(tf.zeros([2, 3], 'int32'))).toThrow('int32 [2, 3]');
    });
    matrix.dispose();
  });
});

test('moves to the engine that is started after it was made, and back', async () => {
  const { bits, values } = randomMatrix(6, 20, 'F16');
  const original = Uint16Array.from(bits);
  await startEngine({ engine: 'cpu' });
  const matrix = PackedMatrix.create(bits, 'F16', 6, 20);
  for (const engine of [...ENGINES, 'cpu']) {
    await start(engine);
    tf.tidy(() => {
      expect(valuesOf(matrix.widen())).toEqual(values);
    });
    expect(matrix.bits()).toEqual(original);
  }
  matrix.dispose();
});

describe('dry runs', () => {
  afterAll(async () => {
    await startEngine({ engine: 'cpu' });
  });

  test.each(['fused', 'formulas'] as const)('%s: give shapes, and need no memory for zeros', async (kind) => {
    const peakOf = await startDryRun(kind);
    const matrix = PackedMatrix.zeros(1e6, 1e6);
    const peak = await peakOf(() => {
      tf.tidy(() => {
        expect(matrix.multiply(tf.zeros([2, 3, 1e6])).shape).toEqual([2, 3, 1e6]);
        const slope = tf.grad((x: tf.Tensor) => tf.sum(matrix.multiply(x)));
        expect(slope(tf.zeros([2, 1e6])).shape).toEqual([2, 1e6]);
        expect(matrix.gather(tf.zeros([5], 'int32')).shape).toEqual([5, 1e6]);
      });
      return Promise.resolve();
    });
    expect(peak).toBeLessThan(1e8);
    matrix.dispose();
  });
});
