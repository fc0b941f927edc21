/** Functions of four float32 numbers at once, to about one unit in the last place (1.2e-7). */
import type { Code } from './wasm-code.js';
import { v128 } from './wasm-code.js';
import type { WasmFunction } from './wasm-function.js';

const { add, sub, mul, div, min, max, neg, nearest, constant } = v128;

/** c0 + x (c1 + x (c2 + …)). `x` is evaluated once per coefficient: pass a kept vector. */
function polynomial(x: Code, coefficients: readonly number[]): Code {
  return coefficients.reduceRight<Code | null>(
    (sum, coefficient) => (sum === null ? constant(coefficient) : add(mul(sum, x), constant(coefficient))),
    null,
  ) as Code;
}

/**
 * e^x, clamped to the normal float32 numbers (x in [-87.3, 88.3]); coefficients of Cephes' expf.
 * x = n ln 2 + r, e^x = 2^n · e^r.
 */
export function exp(f: WasmFunction, x: Code): Code {
  const clamped = f.vector(max(min(x, constant(88.3)), constant(-87.3)));
  const n = f.vector(nearest(mul(clamped, constant(Math.LOG2E))));
  // ln 2 in two parts, the first of few bits, so that n · ln 2 is exact.
  const high = sub(clamped, mul(n, constant(0.693359375)));
  const r = f.vector(sub(high, mul(n, constant(-2.12194440054690583e-4))));
  const tail = polynomial(r, [
    ...[5.0000001201e-1, 1.6666665459e-1, 4.1665795894e-2],
    ...[8.3334519073e-3, 1.3981999507e-3, 1.9875691500e-4],
  ]);
  const power = add(add(mul(tail, mul(r, r)), r), constant(1));
  return f.vector(mul(power, v128.powerOfTwo(n)));
}

/** 1 / (1 + e^-x). */
export function sigmoid(f: WasmFunction, x: Code): Code {
  return f.vector(div(constant(1), add(constant(1), exp(f, neg(x)))));
}

/** The error function: x · P(x²) / Q(x²) on [-4, 4], ±1 outside; the rational function of Eigen's float erf. */
export function erf(f: WasmFunction, x: Code): Code {
  const clamped = f.vector(max(min(x, constant(4)), constant(-4)));
  const square = f.vector(mul(clamped, clamped));
  const numerator = polynomial(square, [
    ...[-1.60960333262415e-2, -2.95459980854025e-3, -7.34990630326855e-4, -5.69250639462346e-5],
    ...[-2.10102402082508e-6, 2.77068142495902e-8, -2.72614225801306e-10],
  ]);
  const denominator = polynomial(square, [
    ...[-1.42647390514189e-2, -7.37332916720468e-3, -1.68282697438203e-3],
    ...[-2.13374055278905e-4, -1.45660718464996e-5],
  ]);
  return f.vector(max(min(div(mul(clamped, numerator), denominator), constant(1)), constant(-1)));
}

/** The standard normal distribution function Φ(x) = (1 + erf(x/√2)) / 2. */
export function normalCdf(f: WasmFunction, x: Code): Code {
  const half = constant(0.5);
  return f.vector(add(half, mul(half, erf(f, mul(x, constant(Math.SQRT1_2))))));
}

/** The standard normal density φ(x). */
export function normalDensity(f: WasmFunction, x: Code): Code {
  const exponent = mul(mul(x, x), constant(-0.5));
  return f.vector(mul(exp(f, exponent), constant(1 / Math.sqrt(2 * Math.PI))));
}

/** log(1 + e) for e in [0, 1]: 2 artanh(s) with s = e / (2 + e) at most 1/3. */
export function logOnePlus(f: WasmFunction, e: Code): Code {
  const s = f.vector(div(e, add(e, constant(2))));
  const square = f.vector(mul(s, s));
  const series = polynomial(square, [2, 2 / 3, 2 / 5, 2 / 7, 2 / 9, 2 / 11, 2 / 13]);
  return f.vector(mul(s, series));
}
