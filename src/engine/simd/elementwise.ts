/** Vector kernels that treat every number alike: activations with their gradients, and optimiser updates. */
import { normal, sigmoid } from './vector-math.js';
import { type Code, v128 } from './wasm-code.js';
import { WasmFunction } from './wasm-function.js';

const { add, sub, mul, div, constant, splat } = v128;
const QUICK_GELU_FACTOR = 1.702;

/** name(inputs…, out, count): out[i] = compute(inputs[i]…). An input may be the output. */
function elementwise(
  name: string,
  inputs: number,
  compute: (f: WasmFunction, values: readonly Code[]) => Code,
): WasmFunction {
  const f = new WasmFunction(name);
  const pointers = Array.from({ length: inputs }, () => f.integer());
  const out = f.integer();
  const count = f.integer();
  f.forEach(count.get, (lanes) => {
    const values = pointers.map((pointer) => f.vector(lanes.load(pointer)));
    lanes.store(out, compute(f, values));
  });
  return f;
}

/** x · sigmoid(factor · x). */
function swish(f: WasmFunction, x: Code, factor: number): Code {
  return mul(x, sigmoid(f, mul(x, constant(factor))));
}

/** Its derivative: s · (1 + z (1 - s)) with z = factor · x, s = sigmoid(z). */
function swishSlope(f: WasmFunction, x: Code, factor: number): Code {
  const z = f.vector(mul(x, constant(factor)));
  const s = sigmoid(f, z);
  return mul(s, add(constant(1), mul(z, sub(constant(1), s))));
}

function activations(): WasmFunction[] {
  const unary = (name: string, value: (f: WasmFunction, x: Code) => Code): WasmFunction =>
    elementwise(name, 1, (f, [x = []]) => value(f, x));
  /** name(x, dy, dx, count): dx = dy · slope(x). */
  const gradient = (name: string, slope: (f: WasmFunction, x: Code) => Code): WasmFunction =>
    elementwise(name, 2, (f, [x = [], dy = []]) => mul(dy, slope(f, x)));
  return [
    unary('gelu', (f, x) => mul(x, normal(f, x).cdf)),
    gradient('geluGrad', (f, x) => {
      const { cdf, density } = normal(f, x);
      return add(cdf, mul(x, density));
    }),
    unary('quickGelu', (f, x) => swish(f, x, QUICK_GELU_FACTOR)),
    gradient('quickGeluGrad', (f, x) => swishSlope(f, x, QUICK_GELU_FACTOR)),
    unary('silu', (f, x) => swish(f, x, 1)),
    gradient('siluGrad', (f, x) => swishSlope(f, x, 1)),
    elementwise('siluMul', 2, (f, [gate = [], up = []]) => mul(swish(f, gate, 1), up)),
    elementwise('siluMulGradGate', 3, (f, [gate = [], up = [], dy = []]) => mul(mul(dy, up), swishSlope(f, gate, 1))),
  ];
}

/** accumulate(dst, src, scale, count): dst += scale · src. */
function accumulate(): WasmFunction {
  const f = new WasmFunction('accumulate');
  const [dst, src, scale, count] = [f.integer(), f.integer(), f.number(), f.integer()];
  f.forEach(count.get, (lanes) => {
    lanes.store(dst, add(lanes.load(dst), mul(splat(scale.get), lanes.load(src))));
  });
  return f;
}

/** sumOfSquares(x, count): Σ x². */
function sumOfSquares(): WasmFunction {
  const f = new WasmFunction('sumOfSquares');
  const [x, count] = [f.integer(), f.integer()];
  const total = f.sum(count.get, (lanes) => {
    const value = f.vector(lanes.load(x));
    return mul(value, value);
  });
  f.returns(total);
  return f;
}

/**
 * adamW(p, m, v, gradient, count, gradientScale, beta1, beta2, eps, stepSize, secondCorrection, decay):
 * m ← β1 m + (1-β1) g; v ← β2 v + (1-β2) g²; p ← p · decay - stepSize · m / (sqrt(v) · secondCorrection + eps).
 */
function adamW(): WasmFunction {
  const f = new WasmFunction('adamW');
  const [p, m, v, gradient, count] = [f.integer(), f.integer(), f.integer(), f.integer(), f.integer()];
  const [gradientScale, beta1, beta2, eps] = [f.number(), f.number(), f.number(), f.number()];
  const [stepSize, secondCorrection, decay] = [f.number(), f.number(), f.number()];
  f.forEach(count.get, (lanes) => {
    const g = f.vector(mul(lanes.load(gradient), splat(gradientScale.get)));
    const rest = (beta: Code): Code => sub(constant(1), splat(beta));
    const first = f.vector(add(mul(lanes.load(m), splat(beta1.get)), mul(g, rest(beta1.get))));
    const second = f.vector(add(mul(lanes.load(v), splat(beta2.get)), mul(mul(g, g), rest(beta2.get))));
    lanes.store(m, first);
    lanes.store(v, second);
    const denominator = add(mul(v128.sqrt(second), splat(secondCorrection.get)), splat(eps.get));
    const step = div(mul(first, splat(stepSize.get)), denominator);
    lanes.store(p, sub(mul(lanes.load(p), splat(decay.get)), step));
  });
  return f;
}

export function elementwiseFunctions(): WasmFunction[] {
  return [...activations(), accumulate(), sumOfSquares(), adamW()];
}
