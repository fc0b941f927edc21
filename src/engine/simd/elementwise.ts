/**
 * Vector kernels that treat every number alike: activations with their gradients, optimiser updates, and the mask losses
 * over the pixels of one mask.
 */
import { exp, logOnePlus, normal, sigmoid } from './vector-math.js';
import { type Code, i32, memory, v128 } from './wasm-code.js';
import { define, type Lanes, type Variable, type WasmFunction } from './wasm-function.js';

const { abs, add, sub, mul, div, max, neg, less, select, constant, splat } = v128;
const QUICK_GELU_FACTOR = 1.702;

/** name(inputs…, out, count): out[i] = compute(inputs[i]…). An input may be the output. */
function elementwise(name: string, inputs: string, compute: (f: WasmFunction, ...values: [Code, Code, Code]) => Code) {
  return define(name, `${inputs} out count`, (f, ...parameters) => {
    const [out, count] = parameters.splice(-2) as [Variable, Variable];
    f.fill(out, count, (load) => {
      const values = parameters.map((pointer) => f.vector(load(pointer)));
      return compute(f, ...(values as unknown as [Code, Code, Code]));
    });
  });
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

function pixel(f: WasmFunction, load: Lanes['load'], x: Variable, g: Variable) {
  const logit = f.vector(load(x));
  const target = f.vector(load(g));
  const decay = exp(f, neg(abs(logit))); // e^-|logit|
  const inverse = f.vector(div(constant(1), add(constant(1), decay)));
  const p = f.vector(select(mul(decay, inverse), inverse, less(logit, constant(0)))); // sigmoid(logit)
  return { logit, target, decay, inverse, p };
}

/** Kernels of x, or of x and dy: dx = dy · slope(x). */
const activations = (): WasmFunction[] => [
  elementwise('gelu', 'x', (f, x) => mul(x, normal(f, x).cdf)),
  elementwise('geluGrad', 'x dy', (f, x, dy) => {
    const { cdf, density } = normal(f, x);
    return mul(dy, add(cdf, mul(x, density)));
  }),
  elementwise('quickGelu', 'x', (f, x) => swish(f, x, QUICK_GELU_FACTOR)),
  elementwise('quickGeluGrad', 'x dy', (f, x, dy) => mul(dy, swishSlope(f, x, QUICK_GELU_FACTOR))),
  elementwise('silu', 'x', (f, x) => swish(f, x, 1)),
  elementwise('siluGrad', 'x dy', (f, x, dy) => mul(dy, swishSlope(f, x, 1))),
  elementwise('siluMul', 'gate up', (f, gate, up) => mul(swish(f, gate, 1), up)),
  elementwise('siluMulGradGate', 'gate up dy', (f, gate, up, dy) => mul(mul(dy, up), swishSlope(f, gate, 1))),
];

const updates = (): WasmFunction[] => [
  /** dst += scale · src. */
  define('accumulate', 'dst src #scale count', (f, dst, src, scale, count) => {
    f.fill(dst, count, (load) => add(load(dst), mul(splat(scale.get), load(src))));
  }),

  /** Σ x². */
  define('sumOfSquares', 'x count', (f, x, count) => {
    const total = f.sum(count.get, ({ load }) => {
      const value = f.vector(load(x));
      return mul(value, value);
    });
    f.returns(total);
  }),

  /** m ← β1 m + (1-β1) g; v ← β2 v + (1-β2) g²; p ← p · decay - stepSize · m / (sqrt(v) · secondCorrection + eps). */
  define(
    'adamW',
    'p m v gradient count #gradientScale #beta1 #beta2 #eps #stepSize #secondCorrection #decay',
    (f, p, m, v, gradient, count, gradientScale, beta1, beta2, eps, stepSize, secondCorrection, decay) => {
      f.forEach(count.get, ({ load, store }) => {
        const g = f.vector(mul(load(gradient), splat(gradientScale.get)));
        const rest = (beta: Code): Code => sub(constant(1), splat(beta));
        const first = f.vector(add(mul(load(m), splat(beta1.get)), mul(g, rest(beta1.get))));
        const second = f.vector(add(mul(load(v), splat(beta2.get)), mul(mul(g, g), rest(beta2.get))));
        store(m, first);
        store(v, second);
        const denominator = add(mul(v128.sqrt(second), splat(secondCorrection.get)), splat(eps.get));
        const step = div(mul(first, splat(stepSize.get)), denominator);
        store(p, sub(mul(load(p), splat(decay.get)), step));
      });
    },
  ),
];

export const elementwiseFunctions = (): WasmFunction[] => [...activations(), ...updates()];

export const maskLossFunctions = (): WasmFunction[] => [
  /**
   * Adds up BCE = max(x, 0) - x·g + log(1 + e^-|x|), p·g, p and g over the pixels; each sum is left as four partial sums
   * at sums + 0, 16, 32, 48 bytes.
   */
  define('maskLossSums', 'x g count sums', (f, x, g, count, sums) => {
    const totals = [0, 1, 2, 3].map(() => f.vectorVariable(constant(0)));
    f.forEach(count.get, ({ load, only }) => {
      const { logit, target, decay, p } = pixel(f, load, x, g);
      const bce = add(sub(max(logit, constant(0)), mul(logit, target)), logOnePlus(f, decay));
      const terms = [bce, mul(p, target), p, target];
      for (const [i, total] of totals.entries()) f.set(total, add(total.get, only(terms[i] as Code)));
    });
    for (const total of totals) {
      f.emit(memory.store(sums.get, total.get));
      f.advance(i32.constant(4), sums);
    }
  }),

  /** dx = bceFactor · (p - g) + diceFactor · p (1 - p) · (ratio - 2 g). */
  define(
    'maskLossGrad',
    'x g dx count #bceFactor #diceFactor #ratio',
    (f, x, g, dx, count, bceFactor, diceFactor, ratio) => {
      f.fill(dx, count, (load) => {
        const { target, decay, inverse, p } = pixel(f, load, x, g);
        const slope = mul(decay, mul(inverse, inverse)); // p (1 - p)
        const dice = mul(mul(splat(diceFactor.get), slope), sub(splat(ratio.get), add(target, target)));
        return add(mul(splat(bceFactor.get), sub(p, target)), dice);
      });
    },
  ),
];
