/** The accuracy of the vector functions, over their whole range, and the assembler under them. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startWasmEngine } from '../helpers/wasm-engine.js';
import { gelu, quickGelu, silu } from '../../src/engine/fused-ops.js';
import { unsigned } from '../../src/engine/simd/wasm-code.js';
import { vectorKernels } from '../../src/engine/simd/vector-kernels.js';
import * as tf from '../../src/engine/tf.js';
import { currentWasmBackend, floatView, pointer } from '../../src/engine/wasm-heap.js';

/** A grid over [from, to], of a length that is not a multiple of four. */
function grid(from: number, to: number): Float32Array {
  return Float32Array.from({ length: 40003 }, (_, i) => from + ((to - from) * i) / 40002);
}

/** Φ in float64 by its series. */
function normalCdf(x: number): number {
  if (x < 0) return 1 - normalCdf(-x);
  let [sum, term] = [0, x];
  for (let n = 1; term > sum * 1e-17; n++) {
    sum += term;
    term *= (x * x) / (2 * n + 1);
  }
  return 0.5 + (Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI)) * sum;
}

function largestError(y: tf.Tensor, x: Float32Array, wanted: (x: number) => number, floor: number): number {
  let largest = 0;
  y.dataSync().forEach((value, i) => {
    const exact = wanted(x[i] ?? NaN);
    const error = Math.abs(value - exact) / Math.max(Math.abs(exact), floor);
    if (!(error <= largest)) largest = error; // NaN counts as wrong
  });
  return largest;
}

beforeAll(async () => {
  await startWasmEngine();
});

describe('accuracy', () => {
  test('exp is within 2e-7 of itself over the normal float32 numbers', () => {
    const backend = currentWasmBackend();
    if (backend === null) throw new Error('no WASM backend');
    const x = grid(-87, 88);
    const [input, output] = [tf.tensor(x), tf.zeros([x.length])];
    vectorKernels(backend).scaledExp(pointer(backend, input), pointer(backend, output), x.length, 0, 1);
    expect(largestError(output, x, Math.exp, 0)).toBeLessThan(2e-7);
    tf.dispose([input, output]);
  });

  test('silu is within 4e-7 of itself, quickGelu (whose 1.702 x is rounded first) within 4e-7 absolute', () => {
    const x = grid(-80, 80);
    for (const [operation, factor, floor] of [
      [silu, 1, 1e-30],
      [quickGelu, 1.702, 1],
    ] as const) {
      const y = tf.tidy(() => operation(tf.tensor(x)));
      expect(largestError(y, x, (value) => value / (1 + Math.exp(-factor * value)), floor)).toBeLessThan(4e-7);
      y.dispose();
    }
  });

  test('gelu is within 4e-7, absolute below 1 and relative above', () => {
    const x = grid(-12, 12);
    const y = tf.tidy(() => gelu(tf.tensor(x)));
    expect(largestError(y, x, (value) => value * normalCdf(value), 1)).toBeLessThan(4e-7);
    y.dispose();
  });

  test('gelu keeps its relative precision in the lower tail', () => {
    const x = grid(-5, -0.01);
    const y = tf.tidy(() => gelu(tf.tensor(x)));
    // erfc(z) is sensitive to z: the float32 square alone costs x² · 6e-8.
    expect(largestError(y, x, (value) => value * normalCdf(value), 1e-30)).toBeLessThan(2e-6);
    y.dispose();
  });

  test('NaN stays NaN, and infinities have their limits', () => {
    const read = (operation: (x: tf.Tensor) => tf.Tensor, value: number): number =>
      tf.tidy(() => operation(tf.tensor([value])).dataSync()[0] ?? 0);
    for (const operation of [gelu, silu, quickGelu]) {
      expect(read(operation, NaN)).toBeNaN();
      expect(read(operation, Infinity)).toBe(Infinity);
    }
  });
});

test('every length is written to its end and not beyond', () => {
  const backend = currentWasmBackend();
  if (backend === null) throw new Error('no WASM backend');
  for (let size = 0; size <= 9; size++) {
    const [dst, src] = [tf.zeros([16]), tf.ones([16])];
    vectorKernels(backend).accumulate(pointer(backend, dst), pointer(backend, src), 2, size);
    expect([...floatView(backend, dst)]).toEqual(Array.from({ length: 16 }, (_, i) => (i < size ? 2 : 0)));
    tf.dispose([dst, src]);
  }
});

test('integers are written as LEB128', () => {
  expect(unsigned(0)).toEqual([0]);
  expect(unsigned(127)).toEqual([127]);
  expect(unsigned(128)).toEqual([0x80, 1]);
  expect(unsigned(624485)).toEqual([0xe5, 0x8e, 0x26]);
});
