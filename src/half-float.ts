/**
 * IEEE 754 half precision (F16) and bfloat16 (BF16) as 16-bit patterns, to and from float32.
 * Widening is exact; narrowing rounds to nearest, ties to even, as PyTorch does.
 */

/** Magnitudes of float32 as bit patterns, which order as the numbers do. */
const SMALLEST_NORMAL_HALF = 0x38800000; // 2^-14
const HALF_OVERFLOW = 0x477ff000; // 65520 is half way from the largest half to 65536, and ties to it
const BFLOAT16_OVERFLOW = 0x7f7f8000; // likewise
const ONE_HALF = 0x3f000000;
const INFINITE = 0x7f800000;

const rounding = new Float32Array(1);
const roundingBits = new Int32Array(rounding.buffer);

let halfTable: Float32Array | null = null;

/** All 65536 half values, made once: checkpoints hold billions of them. */
function halfValues(): Float32Array {
  if (halfTable === null) {
    halfTable = new Float32Array(65536);
    const bits = new Uint32Array(halfTable.buffer);
    for (let half = 0; half < 65536; half++) {
      const sign = (half & 0x8000) << 16;
      const exponent = (half >> 10) & 31;
      const fraction = half & 0x3ff;
      if (exponent === 0) halfTable[half] = (sign === 0 ? 1 : -1) * fraction * 2 ** -24;
      else bits[half] = sign | ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13);
    }
  }
  return halfTable;
}

/** F16 bit patterns → float32, exact. `out`, as long as `source`, is filled where it is given. */
export function halfToFloat32(source: Uint16Array, out: Float32Array = new Float32Array(source.length)): Float32Array {
  const table = halfValues();
  for (let i = 0; i < source.length; i++) out[i] = table[source[i] as number] as number;
  return out;
}

/** BF16 bit patterns → float32, exact. `out` as above. */
export function bfloat16ToFloat32(
  source: Uint16Array,
  out: Float32Array = new Float32Array(source.length),
): Float32Array {
  const bits = bitsOf(out);
  for (let i = 0; i < source.length; i++) bits[i] = (source[i] as number) << 16;
  return out;
}

/** Float32 → F16 bit patterns; magnitudes from 65520 up become infinite. `out` as above. */
export function float32ToHalf(source: Float32Array, out: Uint16Array = new Uint16Array(source.length)): Uint16Array {
  const bits = bitsOf(source);
  for (let i = 0; i < source.length; i++) {
    const all = bits[i] as number;
    const sign = (all >>> 16) & 0x8000;
    const magnitude = all & 0x7fffffff;
    if (magnitude >= SMALLEST_NORMAL_HALF && magnitude < HALF_OVERFLOW) {
      out[i] = sign | ((magnitude + 0xfff + ((magnitude >>> 13) & 1) - 0x38000000) >>> 13);
    } else if (magnitude < SMALLEST_NORMAL_HALF) {
      // Below 2^-14 a half counts in steps of 2^-24: at 0.5, float32 does too, and rounds the sum to nearest even.
      rounding[0] = Math.abs(source[i] as number) + 0.5;
      out[i] = sign | ((roundingBits[0] as number) - ONE_HALF);
    } else if (magnitude <= INFINITE) {
      out[i] = sign | 0x7c00;
    } else {
      out[i] = sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff); // NaN, made quiet
    }
  }
  return out;
}

/** Float32 → BF16 bit patterns. `out` as above. */
export function float32ToBfloat16(
  source: Float32Array,
  out: Uint16Array = new Uint16Array(source.length),
): Uint16Array {
  const bits = bitsOf(source);
  for (let i = 0; i < source.length; i++) {
    const all = bits[i] as number;
    const isNaN = (all & 0x7fffffff) > INFINITE;
    out[i] = isNaN ? (all >>> 16) | 0x40 : (all + 0x7fff + ((all >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** Index of the first finite number that would become infinite; -1 when there is none. */
export function firstOverflow(source: Float32Array, dtype: 'F16' | 'BF16'): number {
  const bits = bitsOf(source);
  const limit = dtype === 'F16' ? HALF_OVERFLOW : BFLOAT16_OVERFLOW;
  for (let i = 0; i < bits.length; i++) {
    const magnitude = (bits[i] as number) & 0x7fffffff;
    if (magnitude >= limit && magnitude < INFINITE) return i;
  }
  return -1;
}

/** The same memory as whole numbers; signed ones, which V8 keeps in registers as they are. */
function bitsOf(numbers: Float32Array): Int32Array {
  return new Int32Array(numbers.buffer, numbers.byteOffset, numbers.length);
}
