/** Vector kernels over 16-bit floats: widening, and the product of a matrix of them with one vector. */
import { define, sumOfLanes, type WasmFunction } from './wasm-function.js';
import { type Code, i32, memory, v128 } from './wasm-code.js';

/** Numbers per round of these loops. */
export const PACKED_ROUND = 16;
const VECTORS = [0, 1, 2, 3];

/** Four BF16 patterns, each in the lower half of 32 bits, as numbers: they are a float32's upper half. */
function fromBfloat16(_: WasmFunction, patterns: Code): Code {
  return v128.shiftBitsLeft(patterns, 16);
}

/**
 * Four F16 patterns as numbers. Shifted into place, exponent and fraction are a float32 that is 2^112 times too small,
 * subnormal numbers included. Infinity and NaN come out at 65536 or more and get their own exponent.
 */
function fromHalf(f: WasmFunction, patterns: Code): Code {
  const half = f.vector(patterns);
  const magnitude = v128.shiftBitsLeft(v128.and(half, v128.bits(0x7fff)), 13);
  const scaled = f.vector(v128.mul(magnitude, v128.constant(2 ** 112)));
  const special = v128.and(v128.isAtLeast(scaled, v128.constant(65536)), v128.bits(0x7f800000));
  const sign = v128.shiftBitsLeft(v128.and(half, v128.bits(0x8000)), 16);
  return v128.or(v128.or(scaled, special), sign);
}

type Widening = typeof fromHalf;

/**
 * 16 · rounds patterns → float32. The target may begin at or before the source where
 * both end together: no pattern is overwritten before it is read.
 */
function widen(name: string, widening: Widening): WasmFunction {
  return define(name, 'source target rounds', (f, source, target, rounds) => {
    f.repeat(rounds.get, () => {
      const numbers = VECTORS.map((i) => f.vector(widening(f, memory.load16(source.get, 8 * i))));
      for (const [i, value] of numbers.entries()) f.emit(memory.store(target.get, value, 16 * i));
      f.advance(i32.constant(PACKED_ROUND / 2), source);
      f.advance(i32.constant(PACKED_ROUND), target);
    });
  });
}

/** y[i] = row i · x, rows of 16 · rounds patterns. */
function dot(name: string, widening: Widening): WasmFunction {
  return define(name, 'matrix x y rows rounds', (f, matrix, x, y, rows, rounds) => {
    f.repeat(rows.get, () => {
      const at = f.integerVariable(x.get);
      // Sums that do not wait for each other.
      const sums = VECTORS.map(() => f.vectorVariable(v128.constant(0)));
      f.repeat(rounds.get, () => {
        for (const [i, sum] of sums.entries()) {
          const weights = widening(f, memory.load16(matrix.get, 8 * i));
          f.set(sum, v128.add(sum.get, v128.mul(weights, memory.load(at.get, 16 * i))));
        }
        f.advance(i32.constant(PACKED_ROUND / 2), matrix);
        f.advance(i32.constant(PACKED_ROUND), at);
      });
      const total = f.vector(sums.map((sum) => sum.get).reduce((a, b) => v128.add(a, b)));
      f.emit(memory.storeFirst(y.get, v128.splat(sumOfLanes(total))));
      f.advance(i32.constant(1), y);
    });
  });
}

export const packedFunctions = (): WasmFunction[] => [
  widen('widenBfloat16', fromBfloat16),
  widen('widenHalf', fromHalf),
  dot('dotBfloat16', fromBfloat16),
  dot('dotHalf', fromHalf),
];
