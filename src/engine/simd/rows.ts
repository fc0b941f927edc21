/** Vector kernels over the rows of a matrix: normalisation, softmax, bias, and their gradients. */
import { exp, expOrZero } from './vector-math.js';
import { type Code, f32, i32, v128 } from './wasm-code.js';
import { type Lanes, type Variable, WasmFunction, largestLane } from './wasm-function.js';

const { add, sub, mul, constant, splat } = v128;

/** Mean of a row (0 unless centred) and 1 / sqrt(mean((x - mean)²) + eps), as vectors of equal numbers. */
function moments(f: WasmFunction, x: Variable, width: Variable, eps: Variable, centred: boolean) {
  const size = f.float(f32.fromInt(width.get));
  const mean = centred
    ? f.vector(
        splat(
          f32.div(
            f.sum(width.get, (lanes) => lanes.load(x)),
            size,
          ),
        ),
      )
    : f.vector(constant(0));
  const squares = f.sum(width.get, (lanes) => {
    const deviation = f.vector(sub(lanes.load(x), mean));
    return mul(deviation, deviation);
  });
  const variance = f32.add(f32.div(squares, size), eps.get);
  const inverse = f.vector(splat(f32.div(f32.constant(1), f32.sqrt(variance))));
  return { mean, inverse, size };
}

/** layerNorm(x, gamma, beta, y, rows, width, eps), rmsNorm(x, gamma, y, rows, width, eps). */
function normalise(centred: boolean): WasmFunction {
  const f = new WasmFunction(centred ? 'layerNorm' : 'rmsNorm');
  const [x, gamma] = [f.integer(), f.integer()];
  const beta = centred ? f.integer() : null;
  const [y, rows, width, eps] = [f.integer(), f.integer(), f.integer(), f.number()];
  f.repeat(rows.get, () => {
    const { mean, inverse } = moments(f, x, width, eps, centred);
    f.forEach(width.get, (lanes) => {
      const scaled = mul(mul(sub(lanes.load(x), mean), inverse), lanes.load(gamma));
      lanes.store(y, beta === null ? scaled : add(scaled, lanes.load(beta)));
    });
    f.advance(width.get, x, y);
  });
  return f;
}

/** …GradX(x, gamma, dy, dx, rows, width, eps): dx = r (g - mean(g) - x̂ mean(g x̂)), g = dy · gamma. */
function normaliseGradX(centred: boolean): WasmFunction {
  const f = new WasmFunction(centred ? 'layerNormGradX' : 'rmsNormGradX');
  const [x, gamma, dy, dx] = [f.integer(), f.integer(), f.integer(), f.integer()];
  const [rows, width, eps] = [f.integer(), f.integer(), f.number()];
  f.repeat(rows.get, () => {
    const { mean, inverse, size } = moments(f, x, width, eps, centred);
    const meanOf = (total: Code): Code => splat(f32.div(total, size));
    const shift = centred
      ? f.vector(meanOf(f.sum(width.get, (lanes) => mul(lanes.load(dy), lanes.load(gamma)))))
      : f.vector(constant(0));
    const dot = f.sum(width.get, (lanes) => mul(mul(lanes.load(dy), lanes.load(gamma)), sub(lanes.load(x), mean)));
    const slope = f.vector(mul(meanOf(dot), mul(inverse, inverse)));
    f.forEach(width.get, (lanes) => {
      const g = mul(lanes.load(dy), lanes.load(gamma));
      const along = mul(sub(lanes.load(x), mean), slope);
      lanes.store(dx, mul(inverse, sub(sub(g, shift), along)));
    });
    f.advance(width.get, x, dy, dx);
  });
  return f;
}

/** …GradGamma(x, dy, sums, rows, width, eps): sums += Σ over rows of dy · x̂. */
function normaliseGradGamma(centred: boolean): WasmFunction {
  const f = new WasmFunction(centred ? 'layerNormGradGamma' : 'rmsNormGradGamma');
  const [x, dy, sums] = [f.integer(), f.integer(), f.integer()];
  const [rows, width, eps] = [f.integer(), f.integer(), f.number()];
  f.repeat(rows.get, () => {
    const { mean, inverse } = moments(f, x, width, eps, centred);
    f.forEach(width.get, (lanes) => {
      const term = mul(lanes.load(dy), mul(sub(lanes.load(x), mean), inverse));
      lanes.store(sums, add(lanes.load(sums), term));
    });
    f.advance(width.get, x, dy);
  });
  return f;
}

/** addRow(matrix, row, rows, width): matrix[i, j] += row[j]. */
function addRow(): WasmFunction {
  const f = new WasmFunction('addRow');
  const [matrix, row, rows, width] = [f.integer(), f.integer(), f.integer(), f.integer()];
  f.repeat(rows.get, () => {
    f.forEach(width.get, (lanes) => {
      lanes.store(matrix, add(lanes.load(matrix), lanes.load(row)));
    });
    f.advance(width.get, matrix);
  });
  return f;
}

/** columnSum(matrix, sums, rows, width): sums[j] += Σ over rows of matrix[i, j], four rows at a time. */
function columnSum(): WasmFunction {
  const f = new WasmFunction('columnSum');
  const [matrix, sums, rows, width] = [f.integer(), f.integer(), f.integer(), f.integer()];
  const rowAfter = (row: Variable): Variable =>
    f.integerVariable(i32.add(row.get, i32.shiftLeft(width.get, i32.constant(2))));
  const left = f.integerVariable(rows.get);
  const second = rowAfter(matrix);
  const third = rowAfter(second);
  const fourth = rowAfter(third);
  const four = i32.shiftLeft(width.get, i32.constant(2));
  f.repeat(i32.shiftRight(rows.get, i32.constant(2)), () => {
    f.forEach(width.get, (lanes) => {
      const upper = add(lanes.load(matrix), lanes.load(second));
      const lower = add(lanes.load(third), lanes.load(fourth));
      lanes.store(sums, add(lanes.load(sums), add(upper, lower)));
    });
    f.advance(four, matrix, second, third, fourth);
    f.set(left, i32.add(left.get, i32.constant(-4)));
  });
  f.repeat(left.get, () => {
    f.forEach(width.get, (lanes) => {
      lanes.store(sums, add(lanes.load(sums), lanes.load(matrix)));
    });
    f.advance(width.get, matrix);
  });
  return f;
}

function largestOf(f: WasmFunction, width: Variable, value: (lanes: Lanes) => Code): Code {
  const largest = f.vectorVariable(constant(-Infinity));
  f.forEach(width.get, (lanes) => {
    f.set(largest, v128.max(largest.get, value(lanes)));
  });
  return f.float(largestLane(largest.get));
}

/** softmaxRow(x, y, width, scale): y = softmax(scale · x) of one row. */
function softmaxRow(): WasmFunction {
  const f = new WasmFunction('softmaxRow');
  const [x, y, width, scale] = [f.integer(), f.integer(), f.integer(), f.number()];
  const factor = f.vector(splat(scale.get));
  const largest = f.vector(splat(largestOf(f, width, (lanes) => mul(lanes.load(x), factor))));
  const total = f.sum(width.get, (lanes) => {
    const value = expOrZero(f, sub(mul(lanes.load(x), factor), largest));
    lanes.store(y, value);
    return value;
  });
  const inverse = f.vector(splat(f32.div(f32.constant(1), total)));
  f.forEach(width.get, (lanes) => {
    lanes.store(y, mul(lanes.load(y), inverse));
  });
  return f;
}

/** softmaxGrad(y, dy, dx, rows, width, scale): dx = scale · y · (dy - Σ dy · y). */
function softmaxGrad(): WasmFunction {
  const f = new WasmFunction('softmaxGrad');
  const [y, dy, dx] = [f.integer(), f.integer(), f.integer()];
  const [rows, width, scale] = [f.integer(), f.integer(), f.number()];
  f.repeat(rows.get, () => {
    const dot = f.sum(width.get, (lanes) => mul(lanes.load(y), lanes.load(dy)));
    const mean = f.vector(splat(dot));
    const factor = f.vector(splat(scale.get));
    f.forEach(width.get, (lanes) => {
      lanes.store(dx, mul(factor, mul(lanes.load(y), sub(lanes.load(dy), mean))));
    });
    f.advance(width.get, y, dy, dx);
  });
  return f;
}

/** largest(x, width): the largest number. */
function largest(): WasmFunction {
  const f = new WasmFunction('largest');
  const [x, width] = [f.integer(), f.integer()];
  f.returns(largestOf(f, width, (lanes) => lanes.load(x)));
  return f;
}

/** sumOfExp(x, width, shift): Σ e^(x - shift). */
function sumOfExp(): WasmFunction {
  const f = new WasmFunction('sumOfExp');
  const [x, width, shift] = [f.integer(), f.integer(), f.number()];
  f.returns(f.sum(width.get, (lanes) => exp(f, sub(lanes.load(x), splat(shift.get)))));
  return f;
}

/** scaledExp(x, y, width, shift, factor): y = factor · e^(x - shift). */
function scaledExp(): WasmFunction {
  const f = new WasmFunction('scaledExp');
  const [x, y, width, shift, factor] = [f.integer(), f.integer(), f.integer(), f.number(), f.number()];
  f.forEach(width.get, (lanes) => {
    lanes.store(y, mul(splat(factor.get), expOrZero(f, sub(lanes.load(x), splat(shift.get)))));
  });
  return f;
}

/**
 * rotaryRow(x, cos, sinFirst, sinSecond, y, half, sign), for x = [a, b] and y of two halves each:
 * y = [a · cos - sign · b · sinFirst, b · cos + sign · a · sinSecond].
 */
function rotaryRow(): WasmFunction {
  const f = new WasmFunction('rotaryRow');
  const [x, cos, sinFirst, sinSecond, y] = [f.integer(), f.integer(), f.integer(), f.integer(), f.integer()];
  const [half, sign] = [f.integer(), f.number()];
  const secondHalf = (pointer: Variable): Variable =>
    f.integerVariable(i32.add(pointer.get, i32.shiftLeft(half.get, i32.constant(2))));
  const [xSecond, cosSecond, ySecond] = [secondHalf(x), secondHalf(cos), secondHalf(y)];
  const direction = f.vector(splat(sign.get));
  f.forEach(half.get, (lanes) => {
    const a = f.vector(lanes.load(x));
    const b = f.vector(lanes.load(xSecond));
    const fromSecond = mul(direction, mul(b, lanes.load(sinFirst)));
    const fromFirst = mul(direction, mul(a, lanes.load(sinSecond)));
    lanes.store(y, sub(mul(a, lanes.load(cos)), fromSecond));
    lanes.store(ySecond, add(mul(b, lanes.load(cosSecond)), fromFirst));
  });
  return f;
}

export function rowFunctions(): WasmFunction[] {
  return [
    ...[true, false].flatMap((centred) => [normalise(centred), normaliseGradX(centred), normaliseGradGamma(centred)]),
    ...[addRow(), columnSum(), softmaxRow(), softmaxGrad(), largest(), sumOfExp(), scaledExp(), rotaryRow()],
  ];
}
