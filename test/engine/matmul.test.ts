/** Products of matrices on both WASM engines against sums in float64. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { benchmarkMatMul } from '../../src/engine/benchmark.js';
import { startWasmEngine } from '../helpers/wasm-engine.js';
import { batchStarts } from '../../src/engine/kernels/matmul.js';
import * as tf from '../../src/engine/tf.js';
import { Random } from '../../src/random.js';

const random = new Random(7);

function randomTensor(shape: number[]): tf.Tensor {
  const values = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.normal());
  return tf.tensor(values, shape);
}

/** op(a) · op(b) with broadcasting, by definition. */
function expected(a: tf.Tensor, b: tf.Tensor, transposeA: boolean, transposeB: boolean): number[] {
  const [x, y] = [a.dataSync(), b.dataSync()];
  const [aRows = 0, aColumns = 0] = a.shape.slice(-2);
  const [bRows = 0, bColumns = 0] = b.shape.slice(-2);
  const [m, k, n] = [transposeA ? aColumns : aRows, transposeA ? aRows : aColumns, transposeB ? bRows : bColumns];
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const aStarts = batchStarts(a.shape.slice(0, -2), batch, m * k);
  const bStarts = batchStarts(b.shape.slice(0, -2), batch, k * n);
  const out: number[] = [];
  for (let item = 0; item < tf.util.sizeFromShape(batch); item++) {
    const [aStart = 0, bStart = 0] = [aStarts[item], bStarts[item]];
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) {
          const left = x[aStart + (transposeA ? l * m + i : i * k + l)] ?? NaN;
          sum += left * (y[bStart + (transposeB ? j * k + l : l * n + j)] ?? NaN);
        }
        out.push(sum);
      }
    }
  }
  return out;
}

function largestDifference(actual: tf.Tensor, wanted: readonly number[]): number {
  const values = actual.dataSync();
  expect(values.length).toBe(wanted.length);
  return wanted.reduce((largest, value, i) => Math.max(largest, Math.abs(value - (values[i] ?? NaN))), 0);
}

const flags = [false, true];
const sizes = [
  [1, 1, 1],
  [1, 33, 17],
  [29, 1, 31],
  [5, 7, 1],
  [3, 5, 7],
  [64, 65, 66],
  [17, 19, 100],
  [130, 31, 129],
] as const;
const batches = [
  [[], []],
  [[3], [3]],
  [[3], [1]],
  [[1], [3]],
  [[4], []],
  [
    [2, 3],
    [2, 3],
  ],
  [
    [2, 1],
    [1, 3],
  ],
  [
    [2, 3],
    [1, 1],
  ],
] as const;

test('the starts of matrices in a broadcast batch repeat along axes of length 1', () => {
  expect(batchStarts([2, 1], [2, 3], 10)).toEqual([0, 0, 0, 10, 10, 10]);
  expect(batchStarts([1, 3], [2, 3], 10)).toEqual([0, 10, 20, 0, 10, 20]);
  expect(batchStarts([3], [2, 3], 4)).toEqual([0, 4, 8, 0, 4, 8]);
  expect(batchStarts([], [2], 4)).toEqual([0, 0]);
});

describe.each(['fastest WASM', 'wasm'])('engine %s', (engine) => {
  let tensors = 0;
  beforeAll(async () => {
    await startWasmEngine(engine);
  });
  beforeEach(() => {
    tensors = tf.memory().numTensors;
    tf.engine().startScope();
  });
  afterEach(() => {
    tf.engine().endScope();
    expect(tf.memory().numTensors).toBe(tensors);
  });

  test.each(flags.flatMap((a) => flags.map((b) => [a, b] as const)))(
    'every batch and size, transposeA %s, transposeB %s',
    (transposeA, transposeB) => {
      for (const [m, n, k] of sizes) {
        for (const [aBatch, bBatch] of batches) {
          const a = randomTensor([...aBatch, ...(transposeA ? [k, m] : [m, k])]);
          const b = randomTensor([...bBatch, ...(transposeB ? [n, k] : [k, n])]);
          const product = tf.matMul(a, b, transposeA, transposeB);
          expect(product.shape.slice(-2)).toEqual([m, n]);
          expect(largestDifference(product, expected(a, b, transposeA, transposeB))).toBeLessThan(1e-4);
        }
      }
    },
  );

  test('sizes of zero give empty products, or zeros where nothing is summed', () => {
    expect(tf.matMul(tf.zeros([0, 3]), tf.zeros([3, 4])).shape).toEqual([0, 4]);
    expect(tf.matMul(tf.zeros([2, 0, 3]), tf.zeros([2, 3, 4])).shape).toEqual([2, 0, 4]);
    expect(tf.matMul(tf.zeros([0, 2, 3]), tf.zeros([0, 3, 4])).shape).toEqual([0, 2, 4]);
    for (let i = 0; i < 3; i++) randomTensor([50, 50]).dispose(); // leaves old numbers on the heap
    expect([...tf.matMul(tf.zeros([2, 0]), tf.zeros([0, 2])).dataSync()]).toEqual([0, 0, 0, 0]);
  });

  test('old NaN on the heap does not reach a product', () => {
    for (const [m, n] of [
      [64, 64],
      [1, 64],
      [64, 1],
    ] as const) {
      tf.fill([m, n], NaN).dispose();
      const product = tf.matMul(tf.ones([m, 8]), tf.ones([8, n]));
      expect(product.dataSync().every((value) => value === 8)).toBe(true);
      product.dispose();
    }
  });

  test('products stay right while the heap grows', () => {
    const a = randomTensor([40, 50]);
    const b = randomTensor([50, 30]);
    const wanted = expected(a, b, false, false);
    const fillers: tf.Tensor[] = [];
    for (let i = 0; i < 5; i++) {
      fillers.push(tf.ones([64, 1024, 256])); // 64 MB each
      expect(largestDifference(tf.matMul(a, b), wanted)).toBeLessThan(1e-4);
    }
    tf.dispose(fillers);
  });

  test('a weight that is changed in place is not met in its old state', () => {
    const a = randomTensor([6, 5]);
    const b = tf.variable(randomTensor([5, 4]));
    tf.matMul(a, b);
    b.assign(randomTensor([5, 4]));
    expect(largestDifference(tf.matMul(a, b), expected(a, b, false, false))).toBeLessThan(1e-5);
    b.dispose();
  });

  test('gradients of a batched, transposed product', () => {
    const a = randomTensor([2, 5, 3]);
    const b = randomTensor([2, 4, 5]);
    const dy = randomTensor([2, 3, 4]);
    const [da, db] = tf.grads((x: tf.Tensor, y: tf.Tensor) => tf.matMul(x, y, true, true))([a, b], dy);
    expect(largestDifference(da as tf.Tensor, expected(b, dy, true, true))).toBeLessThan(1e-5);
    expect(largestDifference(db as tf.Tensor, expected(dy, a, true, true))).toBeLessThan(1e-5);
  });

  test('int32 matrices and unequal inner sizes are refused by name', () => {
    expect(() => tf.matMul(tf.zeros([2, 3]), tf.zeros([4, 2]))).toThrow(/inner/i);
    expect(() => tf.matMul(tf.zeros([2, 2], 'int32'), tf.zeros([2, 2], 'int32'))).toThrow(/float32/);
  });

  test("fused.matMul adds its bias once, where tfjs's own adds it wrongly (inner size over 48)", () => {
    for (const [transposeA, transposeB] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ] as const) {
      const a = tf.fill<tf.Rank.R2>(transposeA ? [100, 3] : [3, 100], 0.01);
      const b = tf.ones<tf.Rank.R2>(transposeB ? [5, 100] : [100, 5]);
      const bias = tf.ones<tf.Rank.R1>([5]);
      const product = tf.fused.matMul({ a, b, transposeA, transposeB, bias });
      expect(largestDifference(product, new Array<number>(15).fill(2))).toBeLessThan(1e-5);
    }
  });

  test.each(['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu'] as const)(
    'fused.matMul with activation %s equals the steps one by one',
    (activation) => {
      const a = tf.mul<tf.Tensor3D>(randomTensor([2, 9, 60]), 0.5);
      const b = randomTensor([2, 60, 11]) as tf.Tensor3D;
      const bias = randomTensor([11]);
      const slopes = randomTensor([9, 1]);
      const sum = tf.add(tf.matMul(a, b), bias);
      const wanted = {
        linear: () => sum,
        relu: () => tf.relu(sum),
        relu6: () => tf.relu6(sum),
        elu: () => tf.elu(sum),
        sigmoid: () => tf.sigmoid(sum),
        leakyrelu: () => tf.leakyRelu(sum, 0.3),
        prelu: () => tf.add(tf.relu(sum), tf.mul(slopes, tf.minimum(sum, 0))),
      }[activation]();
      const product = tf.fused.matMul({
        ...{ a, b, bias, activation, leakyreluAlpha: 0.3 },
        ...(activation === 'prelu' ? { preluActivationWeights: slopes } : {}),
      });
      expect(largestDifference(product, [...wanted.dataSync()])).toBeLessThan(1e-4);
    },
  );

  test('a dense layer gives the right answer', () => {
    const layer = tf.layers.dense({ units: 4, inputDim: 100, kernelInitializer: 'ones', biasInitializer: 'ones' });
    const y = layer.apply(tf.fill([3, 100], 0.01)) as tf.Tensor;
    expect(largestDifference(y, new Array<number>(12).fill(2))).toBeLessThan(1e-5);
    layer.dispose();
  });

  test('the benchmark measures every variant', async () => {
    const rows = await benchmarkMatMul([64], 1);
    expect(rows).toHaveLength(12);
    for (const row of rows) expect(row.gigaflops).toBeGreaterThan(0);
  });
});
