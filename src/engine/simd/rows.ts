/** Vector kernels over the rows of a matrix: normalisation, softmax, bias, and their gradients. */
import { exp, expOrZero } from './vector-math.js';
import { type Code, f32, i32, v128 } from './wasm-code.js';
import { define, type Lanes, type Variable, type WasmFunction, largestLane } from './wasm-function.js';

const { add, sub, mul, constant, splat } = v128;

/** Mean of a row (0 unless centred) and 1 / sqrt(mean((x - mean)²) + eps), as vectors of equal numbers. */
function moments(f: WasmFunction, x: Variable, width: Variable, eps: Variable, centred: boolean) {
  const size = f.float(f32.fromInt(width.get));
  const meanOf = (term: (lanes: Lanes) => Code): Code => splat(f32.div(f.sum(width.get, term), size));
  const mean = f.vector(centred ? meanOf(({ load }) => load(x)) : constant(0));
  const squares = f.sum(width.get, ({ load }) => {
    const deviation = f.vector(sub(load(x), mean));
    return mul(deviation, deviation);
  });
  const variance = f32.add(f32.div(squares, size), eps.get);
  const inverse = f.vector(splat(f32.div(f32.constant(1), f32.sqrt(variance))));
  return { mean, inverse, meanOf };
}

/** Kernels of layer norm where centred, else of RMS norm, which has no beta. */
const normalisations = (centred: boolean): WasmFunction[] => [
  define(
    centred ? 'layerNorm' : 'rmsNorm',
    (centred ? 'x gamma beta y rows width #eps' : 'x gamma y rows width #eps') as string,
    (f, x, gamma, ...others) => {
      const beta = centred ? others.shift() : undefined;
      const [y, rows, width, eps] = others as [Variable, Variable, Variable, Variable];
      f.repeat(rows.get, () => {
        const { mean, inverse } = moments(f, x, width, eps, centred);
        f.fill(y, width, (load) => {
          const scaled = mul(mul(sub(load(x), mean), inverse), load(gamma));
          return beta === undefined ? scaled : add(scaled, load(beta));
        });
        f.advance(width.get, x, y);
      });
    },
  ),

  /** dx = r (g - mean(g) - x̂ mean(g x̂)), g = dy · gamma. */
  define(
    centred ? 'layerNormGradX' : 'rmsNormGradX',
    'x gamma dy dx rows width #eps',
    (f, x, gamma, dy, dx, rows, width, eps) => {
      f.repeat(rows.get, () => {
        const { mean, inverse, meanOf } = moments(f, x, width, eps, centred);
        const shift = f.vector(centred ? meanOf(({ load }) => mul(load(dy), load(gamma))) : constant(0));
        const dot = meanOf(({ load }) => mul(mul(load(dy), load(gamma)), sub(load(x), mean)));
        const slope = f.vector(mul(dot, mul(inverse, inverse)));
        f.fill(dx, width, (load) => {
          const g = mul(load(dy), load(gamma));
          return mul(inverse, sub(sub(g, shift), mul(sub(load(x), mean), slope)));
        });
        f.advance(width.get, x, dy, dx);
      });
    },
  ),

  /** sums += Σ over rows of dy · x̂. */
  define(
    centred ? 'layerNormGradGamma' : 'rmsNormGradGamma',
    'x dy sums rows width #eps',
    (f, x, dy, sums, rows, width, eps) => {
      f.repeat(rows.get, () => {
        const { mean, inverse } = moments(f, x, width, eps, centred);
        f.fill(sums, width, (load) => add(load(sums), mul(load(dy), mul(sub(load(x), mean), inverse))));
        f.advance(width.get, x, dy);
      });
    },
  ),
];

function largestOf(f: WasmFunction, width: Variable, value: (load: Lanes['load']) => Code): Code {
  const largest = f.vectorVariable(constant(-Infinity));
  f.forEach(width.get, ({ load }) => {
    f.set(largest, v128.max(largest.get, value(load)));
  });
  return f.float(largestLane(largest.get));
}

export const rowFunctions = (): WasmFunction[] => [
  ...[true, false].flatMap(normalisations),

  /** matrix[i, j] += row[j]. */
  define('addRow', 'matrix row rows width', (f, matrix, row, rows, width) => {
    f.repeat(rows.get, () => {
      f.fill(matrix, width, (load) => add(load(matrix), load(row)));
      f.advance(width.get, matrix);
    });
  }),

  /** sums[j] += Σ over rows of matrix[i, j], four rows at a time. */
  define('columnSum', 'matrix sums rows width', (f, matrix, sums, rows, width) => {
    const left = f.integerVariable(rows.get);
    const second = f.behind(matrix, width.get);
    const third = f.behind(second, width.get);
    const fourth = f.behind(third, width.get);
    const four = i32.shiftLeft(width.get, i32.constant(2));
    f.repeat(i32.shiftRight(rows.get, i32.constant(2)), () => {
      f.fill(sums, width, (load) => {
        const upper = add(load(matrix), load(second));
        return add(load(sums), add(upper, add(load(third), load(fourth))));
      });
      f.advance(four, matrix, second, third, fourth);
      f.set(left, i32.add(left.get, i32.constant(-4)));
    });
    f.repeat(left.get, () => {
      f.fill(sums, width, (load) => add(load(sums), load(matrix)));
      f.advance(width.get, matrix);
    });
  }),

  /** y = softmax(scale · x) of one row. */
  define('softmaxRow', 'x y width #scale', (f, x, y, width, scale) => {
    const factor = f.vector(splat(scale.get));
    const largest = f.vector(splat(largestOf(f, width, (load) => mul(load(x), factor))));
    const total = f.sum(width.get, ({ load, store }) => {
      const value = expOrZero(f, sub(mul(load(x), factor), largest));
      store(y, value);
      return value;
    });
    const inverse = f.vector(splat(f32.div(f32.constant(1), total)));
    f.fill(y, width, (load) => mul(load(y), inverse));
  }),

  /** dx = scale · y · (dy - Σ dy · y). */
  define('softmaxGrad', 'y dy dx rows width #scale', (f, y, dy, dx, rows, width, scale) => {
    f.repeat(rows.get, () => {
      const mean = f.vector(splat(f.sum(width.get, ({ load }) => mul(load(y), load(dy)))));
      const factor = f.vector(splat(scale.get));
      f.fill(dx, width, (load) => mul(factor, mul(load(y), sub(load(dy), mean))));
      f.advance(width.get, y, dy, dx);
    });
  }),

  /** The largest number. */
  define('largest', 'x width', (f, x, width) => {
    f.returns(largestOf(f, width, (load) => load(x)));
  }),

  /** Σ e^(x - shift). */
  define('sumOfExp', 'x width #shift', (f, x, width, shift) => {
    f.returns(f.sum(width.get, ({ load }) => exp(f, sub(load(x), splat(shift.get)))));
  }),

  /** y = factor · e^(x - shift). */
  define('scaledExp', 'x y width #shift #factor', (f, x, y, width, shift, factor) => {
    f.fill(y, width, (load) => mul(splat(factor.get), expOrZero(f, sub(load(x), splat(shift.get)))));
  }),

  /** y = [a · cos - sign · b · sinFirst, b · cos + sign · a · sinSecond] for x = [a, b] and y of two halves each. */
  define('rotaryRow', 'x cos sinFirst sinSecond y half #sign', (f, x, cos, sinFirst, sinSecond, y, half, sign) => {
    const [xSecond, cosSecond, ySecond] = [f.behind(x, half.get), f.behind(cos, half.get), f.behind(y, half.get)];
    const direction = f.vector(splat(sign.get));
    f.forEach(half.get, ({ load, store }) => {
      const a = f.vector(load(x));
      const b = f.vector(load(xSecond));
      const fromSecond = mul(direction, mul(b, load(sinFirst)));
      const fromFirst = mul(direction, mul(a, load(sinSecond)));
      store(y, sub(mul(a, load(cos)), fromSecond));
      store(ySecond, add(mul(b, load(cosSecond)), fromFirst));
    });
  }),
];
