/** Half precision and bfloat16 against their definitions, over all 65536 patterns. */
import { describe, expect, test } from '@jest/globals';
import { bfloat16ToFloat32, float32ToBfloat16, float32ToHalf, halfToFloat32 } from '../../src/io/half-float.js';

const ALL = Uint16Array.from({ length: 65536 }, (_, i) => i);

describe('half floats', () => {
  test('every F16 pattern is widened as IEEE 754 defines it and narrowed back to itself', () => {
    const wide = halfToFloat32(ALL);
    const back = float32ToHalf(wide);
    const wrong = [...ALL].filter((bits) => {
      const sign = bits >> 15 === 1 ? -1 : 1;
      const exponent = (bits >> 10) & 31;
      const fraction = bits & 1023;
      if (exponent === 31 && fraction > 0) return !Number.isNaN(wide[bits]);
      const finite = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
      return wide[bits] !== sign * (exponent === 31 ? Infinity : finite) || back[bits] !== bits;
    });
    expect(wrong).toEqual([]);
  });

  test('every BF16 pattern is widened to the upper half of a float32 and narrowed back', () => {
    const wide = bfloat16ToFloat32(ALL);
    const back = float32ToBfloat16(wide);
    expect([...ALL].filter((bits) => !Number.isNaN(wide[bits]) && back[bits] !== bits)).toEqual([]);
    expect(bfloat16ToFloat32(Uint16Array.of(0x3f80, 0xc000, 0x7f80))).toEqual(Float32Array.of(1, -2, Infinity));
  });

  test('values between two halves go to the nearer one, ties to the even one', () => {
    const narrowed = (...values: number[]): number[] => [...halfToFloat32(float32ToHalf(Float32Array.from(values)))];
    const step = 2 ** -10;
    expect(narrowed(1 + step / 2, 1 + step * 1.5, 1 + step * 0.51, -1 - step * 0.49)).toEqual([
      1,
      1 + 2 * step,
      1 + step,
      -1,
    ]);
    expect(narrowed(2 ** -25, 3 * 2 ** -25, 2 ** -26, 2 ** -14 - 2 ** -26)).toEqual([0, 2 ** -23, 0, 2 ** -14]);
    expect(narrowed(65519, 65520, -1e9, NaN, -0)).toEqual([65504, Infinity, -Infinity, NaN, -0]);
    const brain = (value: number): number | undefined =>
      bfloat16ToFloat32(float32ToBfloat16(Float32Array.of(value)))[0];
    expect(brain(1 + 2 ** -8)).toBe(1);
    expect(brain(1 + 3 * 2 ** -8)).toBe(1 + 2 ** -6);
    expect(brain(3.4028234663852886e38)).toBe(Infinity);
    expect(brain(NaN)).toBeNaN();
  });
});
