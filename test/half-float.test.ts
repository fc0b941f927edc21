/** Half precision and bfloat16 against their definitions, over all 65536 patterns. */
import { describe, expect, test } from '@jest/globals';
import {
  bfloat16ToFloat32,
  firstOverflow,
  float32ToBfloat16,
  float32ToHalf,
  halfToFloat32,
} from '../src/half-float.js';

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

  // Rounding never decreases, so that what holds at the middle of two neighbours and beside it holds everywhere.
  test.each([
    ['F16', halfToFloat32, float32ToHalf, 0x7c00],
    ['BF16', bfloat16ToFloat32, float32ToBfloat16, 0x7f80],
  ] as const)(
    '%s: between every two neighbours the middle goes to the even one, and all else to the nearer',
    (...row) => {
      const [, widen, narrow, infinite] = row;
      const finite = ALL.subarray(0, infinite);
      const wide = new Float64Array([...widen(finite), 2 ** (infinite === 0x7c00 ? 16 : 128)]);
      const middles = Float32Array.from(finite, (bits) => ((wide[bits] as number) + (wide[bits + 1] as number)) / 2);
      const middleBits = new Uint32Array(middles.buffer);
      const beside = (by: number): Float32Array => new Float32Array(middleBits.map((bits) => bits + by).buffer);
      const negative = middles.map((value) => -value);
      expect(narrow(middles)).toEqual(finite.map((bits) => bits + (bits & 1)));
      expect(narrow(negative)).toEqual(finite.map((bits) => 0x8000 | (bits + (bits & 1))));
      expect(narrow(beside(-1))).toEqual(finite);
      expect(narrow(beside(1))).toEqual(finite.map((bits) => bits + 1));
    },
  );

  test('the first finite number that would become infinite is found; infinities and NaN are none', () => {
    const none = [1, -65519, Infinity, -Infinity, NaN];
    expect(firstOverflow(Float32Array.from(none), 'F16')).toBe(-1);
    expect(firstOverflow(Float32Array.from([...none, -65520, 1e9]), 'F16')).toBe(5);
    expect(firstOverflow(Float32Array.from([...none, 3.38e38]), 'BF16')).toBe(-1);
    expect(firstOverflow(Float32Array.from([...none, -3.4e38]), 'BF16')).toBe(5);
  });

  test('what is converted lies in the array that was given, where one was', () => {
    const wide = new Float32Array(2);
    expect(halfToFloat32(Uint16Array.of(0x3c00, 0xc000), wide)).toBe(wide);
    expect(wide).toEqual(Float32Array.of(1, -2));
    const narrow = new Uint16Array(2);
    expect(float32ToBfloat16(new Float32Array(4).fill(1).subarray(1, 3), narrow)).toBe(narrow);
    expect(narrow).toEqual(Uint16Array.of(0x3f80, 0x3f80));
  });
});
