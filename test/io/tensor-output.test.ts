/** Tensors on their way into a file: conversion between floating types, number for number, and what is refused. */
import { describe, expect, test } from '@jest/globals';
import { UserError } from '../../src/errors.js';
import { type StoredTensor, type TensorData, inMemory } from '../../src/io/file-tensor.js';
import { float32ToHalf } from '../../src/half-float.js';
import { toFloat32 } from '../../src/io/file-tensor.js';
import { byteCount, converted, named, outputBytes } from '../../src/io/tensor-output.js';

/** Longer than the blocks in which numbers are converted, and no multiple of them. */
const MANY = 100_003;

function tensorOf(dtype: StoredTensor['dtype'], data: TensorData): StoredTensor {
  return { dtype, shape: [data.length], data };
}

function values(tensor: StoredTensor, dtype: 'F32' | 'F16' | 'BF16'): Float32Array {
  const to = converted(inMemory(tensor), dtype, 'w');
  return toFloat32({ dtype: to.dtype, shape: to.shape, data: to.read() });
}

describe('converted', () => {
  const numbers = Float32Array.from({ length: MANY }, (_, i) => Math.sin(i) * 2 ** ((i % 30) - 15));

  test('narrows each number to within half a step and widens it again exactly', () => {
    for (const [dtype, bits] of [
      ['F16', 11],
      ['BF16', 8],
    ] as const) {
      const narrow = values(tensorOf('F32', numbers), dtype);
      const wrong = numbers.findIndex((value, i) => {
        return Math.abs((narrow[i] as number) - value) > Math.max(Math.abs(value) * 2 ** -bits, 2 ** -25);
      });
      expect(wrong).toBe(-1);
      const once = converted(inMemory(tensorOf('F32', numbers)), dtype, 'w');
      const again = converted(converted(once, 'F32', 'w'), dtype, 'w');
      expect(again.read()).toEqual(once.read());
    }
  });

  test('takes F64 by way of float32, and F16 to BF16 by its values', () => {
    expect(values(tensorOf('F64', Float64Array.of(0.1, -Infinity, NaN)), 'F32')).toEqual(
      Float32Array.of(0.1, -Infinity, NaN),
    );
    const half = float32ToHalf(Float32Array.of(1 + 2 ** -10, -65504));
    expect(values(tensorOf('F16', half), 'BF16')).toEqual(Float32Array.of(1, -65536));
  });

  test('leaves alone what has the type already and what holds no floating numbers', () => {
    const ids = inMemory(tensorOf('I64', BigInt64Array.of(2n ** 60n)));
    expect(converted(ids, 'F16', 'ids')).toBe(ids);
    const weights = inMemory(tensorOf('F32', numbers));
    expect(converted(weights, 'F32', 'w')).toBe(weights);
  });

  test('refuses a finite number that the type cannot hold, by the name of the tensor, with what to do', () => {
    const far = Float32Array.from({ length: MANY }, (_, i) => (i === MANY - 2 ? -70000 : 1));
    const read = (): unknown => values(tensorOf('F32', far), 'F16');
    expect(read).toThrow(UserError);
    expect(read).toThrow('Tensor "w" holds -70000, which F16 cannot hold; store it as bf16 or f32.');
    expect(() => values(tensorOf('F32', Float32Array.of(3.4e38)), 'BF16')).toThrow('store it as f32');
    expect(() => values(tensorOf('F64', Float64Array.of(0, 1e300)), 'F32')).toThrow('1e+300');
    expect(() => values(tensorOf('F64', Float64Array.of(0, -1e300)), 'BF16')).toThrow('-1e+300');
    expect(values(tensorOf('F32', Float32Array.of(Infinity, NaN)), 'F16')).toEqual(Float32Array.of(Infinity, NaN));
  });
});

describe('outputBytes', () => {
  test('are the bytes as they lie in memory, of the part that an array shows', () => {
    const data = Uint16Array.of(1, 2, 3, 4).subarray(1, 3);
    const tensor = named('w', inMemory(tensorOf('F16', data)));
    expect(byteCount(tensor)).toBe(4);
    expect(outputBytes(tensor)).toEqual([Uint8Array.of(2, 0, 3, 0)]);
  });

  test('of another number than the shape asks for are an error that names the tensor', () => {
    const tensor = { name: 'w', dtype: 'F32' as const, shape: [3], read: () => new Float32Array(2) };
    expect(() => outputBytes(tensor)).toThrow('"w" (F32, shape [3]) should have 12 bytes, but 8 were read');
  });
});
