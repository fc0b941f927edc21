/** In-place updates of variables: equal to their formulas on every engine, seen by nobody else, without allocation. */
import { describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import { findInstallation } from '../../src/engine/tensorflow-installation.js';
import { accumulate, adamWUpdate, linear, sumOfSquares } from '../../src/engine/fused-ops.js';
import * as tf from '../../src/engine/tf.js';
import { Random } from '../../src/random.js';

const SHAPE = [13, 7];
const SIZE = 91;

function numbers(seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: SIZE }, () => random.normal());
}

/** PyTorch's AdamW in float64. */
function adamW(steps: number): number[] {
  const p = [...numbers(1)];
  const [m, v] = [p.map(() => 0), p.map(() => 0)];
  for (let step = 1; step <= steps; step++) {
    numbers(10 + step).forEach((raw, i) => {
      const g = raw * 0.5;
      m[i] = 0.9 * (m[i] ?? 0) + 0.1 * g;
      v[i] = 0.95 * (v[i] ?? 0) + 0.05 * g * g;
      const denominator = Math.sqrt((v[i] ?? 0) / (1 - 0.95 ** step)) + 1e-8;
      p[i] = (p[i] ?? 0) * (1 - 1e-2 * 0.1) - (1e-2 * ((m[i] ?? 0) / (1 - 0.9 ** step))) / denominator;
    });
  }
  return p;
}

const ENGINES = ['auto', 'wasm', 'cpu', ...(findInstallation() === null ? [] : ['tensorflow'])];

describe.each(ENGINES)('engine %s', (engine) => {
  test('adamWUpdate and sumOfSquares of a large variable: every number as it would be alone', async () => {
    await startEngine({ engine });
    const before = tf.memory().numTensors;
    // Some blocks of rows, the last one smaller, each row another.
    const shape = [301, 7, 191];
    const of = (value: (row: number, column: number) => number): Float32Array =>
      Float32Array.from({ length: 301 * 7 * 191 }, (_, i) => value(Math.floor(i / 1337), i % 1337));
    const start = of((row, column) => Math.sin(row) + column / 1337);
    const slope = of((row, column) => Math.cos(row + column));
    const variable = tf.tidy(() => tf.variable(tf.tensor(start, shape)));
    const [m, v] = [0, 0].map(() => tf.tidy(() => tf.variable(tf.zeros(shape)))) as [tf.Variable, tf.Variable];
    const gradient = tf.tensor(slope, shape);
    const options = { learningRate: 0.01, beta1: 0.9, beta2: 0.95, eps: 1e-3, weightDecay: 0.1, gradientScale: 0.5 };
    for (const step of [1, 2]) adamWUpdate({ variable, m, v, gradient, step, ...options });
    const found = variable.dataSync();
    let [worst, squares] = [0, 0];
    start.forEach((p, i) => {
      const g = 0.5 * (slope[i] as number);
      squares += (slope[i] as number) ** 2;
      // The same gradient twice: corrected for their start, the moments are g and g².
      const step = (0.01 * g) / (Math.abs(g) + 1e-3);
      worst = Math.max(worst, Math.abs((p * 0.999 - step) * 0.999 - step - (found[i] as number)));
    });
    expect(worst).toBeLessThan(2e-6);
    expect(Math.abs((await sumOfSquares([gradient, gradient])) / (2 * squares) - 1)).toBeLessThan(1e-5);
    tf.dispose([variable, m, v, gradient]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('adamWUpdate follows PyTorch over five updates and allocates nothing', async () => {
    await startEngine({ engine });
    const start = tf.tensor(numbers(1), SHAPE);
    const zeros = tf.zeros(SHAPE);
    const variable = tf.variable(start);
    const [m, v] = [tf.variable(zeros), tf.variable(zeros)]; // both share the numbers of `zeros`
    const count = tf.memory().numTensors;
    for (let step = 1; step <= 5; step++) {
      const gradient = tf.tensor(numbers(10 + step), SHAPE);
      adamWUpdate({
        ...{ variable, m, v, gradient, step, learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8 },
        ...{ weightDecay: 0.1, gradientScale: 0.5 },
      });
      gradient.dispose();
    }
    expect(tf.memory().numTensors).toBe(count);
    const actual = variable.dataSync();
    adamW(5).forEach((value, i) => {
      expect(Math.abs(value - (actual[i] ?? NaN))).toBeLessThan(2e-6);
    });
    expect([...start.dataSync()]).toEqual([...numbers(1)]);
    expect(zeros.dataSync().every((value) => value === 0)).toBe(true);
    tf.dispose([start, zeros, variable, m, v]);
  });

  test('accumulate adds in place; clones and views keep the old numbers', async () => {
    await startEngine({ engine });
    const [one, two] = [numbers(1), numbers(2)];
    const dst = tf.variable(tf.tensor(one, SHAPE));
    const src = tf.tensor(two, SHAPE);
    const view = tf.reshape(dst, [SIZE]);
    accumulate(dst, src, 0.25);
    accumulate(dst, src);
    dst.dataSync().forEach((value, i) => {
      expect(Math.abs(value - ((one[i] ?? NaN) + 1.25 * (two[i] ?? NaN)))).toBeLessThan(1e-6);
    });
    expect([...view.dataSync()]).toEqual([...one]);
    expect(() => accumulate(dst, view)).toThrow(/\[13, 7\] and \[91\]/);
    tf.dispose([dst, src, view]);
  });

  test('products and convolutions see a weight that was changed in place', async () => {
    await startEngine({ engine });
    tf.tidy(() => {
      const w = tf.variable(tf.ones<tf.Rank.R4>([1, 1, 4, 3]));
      const x = tf.ones<tf.Rank.R4>([1, 2, 2, 4]);
      const dense = tf.variable(tf.ones<tf.Rank.R2>([4, 3]));
      tf.conv2d(x, w, 1, 'valid');
      linear(x, dense, null);
      accumulate(w, tf.ones([1, 1, 4, 3]));
      accumulate(dense, tf.ones([4, 3]));
      expect([...tf.conv2d(x, w, 1, 'valid').dataSync()]).toEqual(new Array<number>(12).fill(8));
      expect([...linear(x, dense, null).dataSync()]).toEqual(new Array<number>(12).fill(8));
      tf.dispose([w, dense]);
    });
  });

  test('sumOfSquares is the square of the global norm', async () => {
    await startEngine({ engine });
    const tensors = [tf.tensor(numbers(1), SHAPE), tf.scalar(3), tf.ones([5000]), tf.zeros([0])];
    const wanted = numbers(1).reduce((sum, value) => sum + value * value, 9 + 5000);
    expect(Math.abs((await sumOfSquares(tensors)) / wanted - 1)).toBeLessThan(1e-6);
    tf.dispose(tensors);
  });
});
