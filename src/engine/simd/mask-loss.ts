/** Vector kernels of the mask losses over the pixels of one mask. */
import { exp, logOnePlus } from './vector-math.js';
import { type Code, i32, memory, v128 } from './wasm-code.js';
import { type Lanes, type Variable, WasmFunction } from './wasm-function.js';

const { abs, add, sub, mul, div, max, neg, less, select, constant, splat } = v128;

interface Pixel {
  readonly logit: Code;
  readonly target: Code;
  /** e^-|logit|. */
  readonly decay: Code;
  /** 1 / (1 + decay). */
  readonly inverse: Code;
  /** sigmoid(logit). */
  readonly p: Code;
}

function pixel(f: WasmFunction, lanes: Lanes, x: Variable, g: Variable): Pixel {
  const logit = f.vector(lanes.load(x));
  const target = f.vector(lanes.load(g));
  const decay = exp(f, neg(abs(logit)));
  const inverse = f.vector(div(constant(1), add(constant(1), decay)));
  const p = f.vector(select(mul(decay, inverse), inverse, less(logit, constant(0))));
  return { logit, target, decay, inverse, p };
}

/**
 * maskLossSums(x, g, count, sums): adds up BCE = max(x, 0) - x·g + log(1 + e^-|x|), p·g, p and g over the pixels;
 * each sum is left as four partial sums at sums + 0, 16, 32, 48 bytes.
 */
function maskLossSums(): WasmFunction {
  const f = new WasmFunction('maskLossSums');
  const [x, g, count, sums] = [f.integer(), f.integer(), f.integer(), f.integer()];
  const totals = [0, 1, 2, 3].map(() => f.vectorVariable(constant(0)));
  f.forEach(count.get, (lanes) => {
    const { logit, target, decay, p } = pixel(f, lanes, x, g);
    const bce = add(sub(max(logit, constant(0)), mul(logit, target)), logOnePlus(f, decay));
    [bce, mul(p, target), p, target].forEach((term, i) => {
      const total = totals[i] as Variable;
      f.set(total, add(total.get, lanes.only(term)));
    });
  });
  for (const total of totals) {
    f.emit(memory.store(sums.get, total.get));
    f.advance(i32.constant(4), sums);
  }
  return f;
}

/**
 * maskLossGrad(x, g, dx, count, bceFactor, diceFactor, ratio):
 * dx = bceFactor · (p - g) + diceFactor · p (1 - p) · (ratio - 2 g).
 */
function maskLossGrad(): WasmFunction {
  const f = new WasmFunction('maskLossGrad');
  const [x, g, dx, count] = [f.integer(), f.integer(), f.integer(), f.integer()];
  const [bceFactor, diceFactor, ratio] = [f.number(), f.number(), f.number()];
  f.forEach(count.get, (lanes) => {
    const { target, decay, inverse, p } = pixel(f, lanes, x, g);
    const slope = mul(decay, mul(inverse, inverse)); // p (1 - p)
    const dice = mul(mul(splat(diceFactor.get), slope), sub(splat(ratio.get), add(target, target)));
    lanes.store(dx, add(mul(splat(bceFactor.get), sub(p, target)), dice));
  });
  return f;
}

export function maskLossFunctions(): WasmFunction[] {
  return [maskLossSums(), maskLossGrad()];
}
