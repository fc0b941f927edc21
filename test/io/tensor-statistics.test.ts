/** Statistics of tensors against the plain definitions, for every kind of number, in one block and in many. */
import { describe, expect, test } from '@jest/globals';
import type { StoredTensor } from '../../src/io/file-tensor.js';
import { float32ToBfloat16, float32ToHalf } from '../../src/half-float.js';
import { storedNotFinite, tensorStatistics } from '../../src/io/tensor-statistics.js';

function statistics(dtype: StoredTensor['dtype'], data: StoredTensor['data']): ReturnType<typeof tensorStatistics> {
  return tensorStatistics({ dtype, shape: [data.length], data });
}

describe('tensorStatistics', () => {
  test('of many numbers far from 0 are those of the definitions: nothing cancels out', () => {
    const data = Float64Array.from({ length: 50_000 }, (_, i) => 1e6 + Math.sin(i));
    const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
    const deviation = Math.sqrt(data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length);
    const found = statistics('F64', data);
    expect(found.mean).toBeCloseTo(mean, 7);
    expect(found.deviation).toBeCloseTo(deviation, 10);
    expect(found.min).toBe(data.reduce((least, value) => Math.min(least, value)));
    expect(found.max).toBe(data.reduce((greatest, value) => Math.max(greatest, value)));
  });

  test('NaN, infinities and zeros are counted; the rest is of the finite numbers', () => {
    const expected = { min: -3, max: 3, mean: 0, deviation: Math.sqrt(18 / 4), nan: 1, infinite: 2, zeros: 2 };
    const data = Float32Array.of(0, NaN, -3, Infinity, 3, -Infinity, -0);
    expect(statistics('F32', data)).toEqual(expected);
    expect(statistics('F16', float32ToHalf(data))).toEqual(expected);
    expect(statistics('BF16', float32ToBfloat16(data))).toEqual(expected);
  });

  test.each([
    ['I64', BigInt64Array.of(-2n, 4n)],
    ['I32', Int32Array.of(-2, 4)],
    ['I16', Int16Array.of(-2, 4)],
    ['I8', Int8Array.of(-2, 4)],
  ] as const)('%s is read as whole numbers', (dtype, data) => {
    expect(statistics(dtype, data)).toMatchObject({ min: -2, max: 4, mean: 1, deviation: 3, zeros: 0 });
  });

  test.each([
    ['U64', BigUint64Array.of(2n, 0n)],
    ['U32', Uint32Array.of(2, 0)],
    ['U16', Uint16Array.of(2, 0)],
    ['U8', Uint8Array.of(2, 0)],
  ] as const)('%s likewise', (dtype, data) => {
    expect(statistics(dtype, data)).toMatchObject({ min: 0, max: 2, mean: 1, deviation: 1, zeros: 1 });
  });

  test('of no finite numbers are null', () => {
    const none = { min: null, max: null, mean: null, deviation: null, zeros: 0 };
    expect(statistics('F32', new Float32Array(0))).toEqual({ ...none, nan: 0, infinite: 0 });
    expect(statistics('F32', Float32Array.of(NaN, Infinity))).toEqual({ ...none, nan: 1, infinite: 1 });
  });
});

describe('storedNotFinite', () => {
  const SIZE = 40_000; // more than two blocks

  test.each([
    ['F32', new Float32Array(SIZE), [NaN, Infinity]],
    ['F64', new Float64Array(SIZE).fill(1e300), [NaN, -Infinity]],
    ['F16', new Uint16Array(SIZE).fill(0x7bff), [0x7e00, 0xfc00]], // 65504; NaN, -Infinity
    ['BF16', new Uint16Array(SIZE).fill(0x7f7f), [0x7fc0, 0x7f80]], // the largest; NaN, Infinity
  ] as const)('%s: how many, and where the first is', (dtype, data, [nan, infinite]) => {
    expect(storedNotFinite({ dtype, data })).toBeNull();
    data[39_999] = nan;
    data[20_001] = infinite;
    data[20_000] = nan;
    expect(storedNotFinite({ dtype, data })).toEqual({ nan: 2, infinite: 1, first: 20_000, size: SIZE });
  });

  test('whole numbers are finite', () => {
    expect(storedNotFinite({ dtype: 'I64', data: new BigInt64Array(3) })).toBeNull();
    expect(storedNotFinite({ dtype: 'U16', data: new Uint16Array(3).fill(0x7c00) })).toBeNull();
  });
});
