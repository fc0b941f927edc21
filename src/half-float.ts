/**
 * IEEE 754 half precision (F16) and bfloat16 (BF16) as 16-bit patterns, to and from float32.
 * Widening is exact; narrowing rounds to nearest, ties to even, as PyTorch does.
 */

const floatView = new Float32Array(1);
const bitsView = new Uint32Array(floatView.buffer);

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

/** F16 bit patterns → float32, exact. */
export function halfToFloat32(source: Uint16Array): Float32Array {
  const table = halfValues();
  const out = new Float32Array(source.length);
  for (let i = 0; i < source.length; i++) out[i] = table[source[i] as number] as number;
  return out;
}

/** BF16 bit patterns → float32, exact. */
export function bfloat16ToFloat32(source: Uint16Array): Float32Array {
  const out = new Float32Array(source.length);
  const bits = new Uint32Array(out.buffer);
  for (let i = 0; i < source.length; i++) bits[i] = (source[i] as number) << 16;
  return out;
}

/** One float32 as F16 bits. Magnitudes from 65520 up become infinite. */
function toHalfBits(value: number): number {
  floatView[0] = value;
  const all = bitsView[0] as number;
  const sign = (all >>> 16) & 0x8000;
  const magnitude = all & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff); // NaN, made quiet
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 is half way to 65536 and ties to it
  if (magnitude >= 0x38800000) {
    return sign | ((magnitude + 0xfff + ((magnitude >>> 13) & 1) - 0x38000000) >>> 13);
  }
  // Below 2^-14 a half counts in steps of 2^-24.
  const steps = Math.abs(value) * 2 ** 24;
  const floor = Math.floor(steps);
  const rest = steps - floor;
  return sign | (rest > 0.5 || (rest === 0.5 && (floor & 1) === 1) ? floor + 1 : floor);
}

/** Float32 → F16 bit patterns. */
export function float32ToHalf(source: Float32Array): Uint16Array {
  const out = new Uint16Array(source.length);
  for (let i = 0; i < source.length; i++) out[i] = toHalfBits(source[i] as number);
  return out;
}

/** Float32 → BF16 bit patterns. */
export function float32ToBfloat16(source: Float32Array): Uint16Array {
  const out = new Uint16Array(source.length);
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < source.length; i++) {
    const all = bits[i] as number;
    const isNaN = (all & 0x7fffffff) > 0x7f800000;
    out[i] = isNaN ? (all >>> 16) | 0x40 : (all + 0x7fff + ((all >>> 16) & 1)) >>> 16;
  }
  return out;
}
