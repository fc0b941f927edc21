/** Functions of four float32 numbers at once, to about one unit in the last place (1.2e-7). */
import { type Code, v128 } from './wasm-code.js';
import type { WasmFunction } from './wasm-function.js';

const { add, sub, mul, div, min, max, neg, constant } = v128;

/**
 * Added to a small number, it rounds it to a whole number n and leaves n + 127 in the lowest bits; shifted by 23, that
 * is the exponent of 2^n.
 */
const ROUND_TO_EXPONENT = 1.5 * 2 ** 23 + 127;

/** Below it, e^x is no normal float32 number. */
const LEAST_EXPONENT = -87.3;

/** c0 + x (c1 + x (c2 + …)). `x` is evaluated once per coefficient: pass a kept vector. */
function polynomial(x: Code, coefficients: readonly number[]): Code {
  return coefficients.reduceRight<Code | null>(
    (sum, coefficient) => (sum === null ? constant(coefficient) : add(mul(sum, x), constant(coefficient))),
    null,
  ) as Code;
}

/** e^x, x clamped to [-87.3, 88.3] (normal numbers), by Cephes' expf: x = n ln 2 + r, e^x = 2^n · e^r. */
export function exp(f: WasmFunction, x: Code): Code {
  const clamped = f.vector(max(min(x, constant(88.3)), constant(LEAST_EXPONENT)));
  const rounded = f.vector(add(mul(clamped, constant(Math.LOG2E)), constant(ROUND_TO_EXPONENT)));
  const n = f.vector(sub(rounded, constant(ROUND_TO_EXPONENT)));
  // ln 2 in two parts, the first of few bits, so that n · ln 2 is exact.
  const high = sub(clamped, mul(n, constant(0.693359375)));
  const r = f.vector(sub(high, mul(n, constant(-2.1219444005e-4))));
  const tail = polynomial(r, [
    ...[5.0000001201e-1, 1.6666665459e-1, 4.1665795894e-2],
    ...[8.3334519073e-3, 1.3981999507e-3, 1.98756915e-4],
  ]);
  const power = add(add(mul(tail, mul(r, r)), r), constant(1));
  return f.vector(mul(power, v128.shiftBitsLeft(rounded, 23)));
}

/** e^x as above, but 0 below its range: an impossible class (-Infinity) has weight 0 in a softmax. */
export function expOrZero(f: WasmFunction, x: Code): Code {
  const kept = f.vector(x);
  return f.vector(v128.select(constant(0), exp(f, kept), v128.less(kept, constant(LEAST_EXPONENT))));
}

/** 1 / (1 + e^-x). */
export function sigmoid(f: WasmFunction, x: Code): Code {
  return f.vector(div(constant(1), add(constant(1), exp(f, neg(x)))));
}

/** The slope of t in `normal`. */
const TAIL_SLOPE = 0.5 * Math.SQRT1_2;
/** erfc(z) · e^(z²) / t as a polynomial in t = 1 / (1 + z/2) for z in [0, 6.5]: our own minimax fit, to 3e-8. */
const TAIL = [
  ...[0.2821224481, 0.2817905801, 0.2470908908, 0.1877410679, 0.007135497115],
  ...[0.230889737, -0.4472716543, 0.2658153094, -0.05531390727],
];

/**
 * The standard normal distribution function Φ(x) and its density φ(x). Both tails of Φ keep their relative precision:
 * Φ(-|x|) = erfc(|x|/√2) / 2.
 */
export function normal(f: WasmFunction, x: Code): { cdf: Code; density: Code } {
  const decay = exp(f, mul(mul(x, x), constant(-0.5)));
  const t = f.vector(div(constant(1), add(constant(1), mul(v128.abs(x), constant(TAIL_SLOPE)))));
  const tail = f.vector(mul(mul(mul(polynomial(t, TAIL), t), decay), constant(0.5)));
  const cdf = f.vector(v128.select(tail, sub(constant(1), tail), v128.less(x, constant(0))));
  return { cdf, density: mul(decay, constant(1 / Math.sqrt(2 * Math.PI))) };
}

/** log(1 + e) for e in [0, 1]: 2 artanh(s) with s = e / (2 + e) at most 1/3. */
export function logOnePlus(f: WasmFunction, e: Code): Code {
  const s = f.vector(div(e, add(e, constant(2))));
  const square = f.vector(mul(s, s));
  const series = polynomial(square, [2, 2 / 3, 2 / 5, 2 / 7, 2 / 9, 2 / 11, 2 / 13]);
  return f.vector(mul(s, series));
}
