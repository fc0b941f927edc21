/**
 * What the layers compute, once more: loops in double precision over plain numbers, from the definitions, with weights
 * in PyTorch's layouts. Slow and easy to read; nothing here is shared with src.
 */

/** Rows of numbers. */
export type Matrix = number[][];

export function matrix(rows: number, columns: number, at: (row: number, column: number) => number): Matrix {
  return Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (__, j) => at(i, j)));
}

/** Flat row-major values as rows of `columns`. */
export function toRows(values: ArrayLike<number>, columns: number): Matrix {
  return matrix(values.length / columns, columns, (i, j) => values[i * columns + j] as number);
}

export function entry(m: Matrix, i: number, j: number): number {
  return m[i]?.[j] as number;
}

export function sum(count: number, term: (index: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += term(i);
  return total;
}

/** x·Wᵀ + b, W [out, in] as PyTorch's nn.Linear stores it. */
export function linear(x: Matrix, weight: Matrix, bias: ArrayLike<number> | null): Matrix {
  return matrix(x.length, weight.length, (i, o) => {
    return sum((weight[o] ?? []).length, (k) => entry(x, i, k) * entry(weight, o, k)) + (bias?.[o] ?? 0);
  });
}

export function softmax(row: readonly number[]): number[] {
  const most = Math.max(...row);
  const exponentials = row.map((value) => Math.exp(value - most));
  const total = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((value) => value / total);
}

/**
 * One head or several: softmax(q·kᵀ/√d + bias)·v.
 * @param q [Tq, H·d], k and v [Tk, H·d]
 * @param bias added to the scores, by head, query and key; -Infinity hides a key
 */
export function attend(
  q: Matrix,
  k: Matrix,
  v: Matrix,
  heads: number,
  bias: (head: number, query: number, key: number) => number = () => 0,
): Matrix {
  const size = (q[0] ?? []).length / heads;
  const weights = Array.from({ length: heads }, (_, h) => {
    return q.map((_query, i) => {
      return softmax(
        k.map((_key, j) => {
          return (
            sum(size, (c) => entry(q, i, h * size + c) * entry(k, j, h * size + c)) / Math.sqrt(size) + bias(h, i, j)
          );
        }),
      );
    });
  });
  return matrix(q.length, heads * size, (i, c) => {
    const row = weights[Math.floor(c / size)]?.[i] ?? [];
    return sum(k.length, (j) => (row[j] as number) * entry(v, j, c));
  });
}

export function layerNorm(
  row: readonly number[],
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
  eps: number,
): number[] {
  const mean = row.reduce((a, b) => a + b, 0) / row.length;
  const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / row.length;
  return row.map((x, i) => ((x - mean) / Math.sqrt(variance + eps)) * (weight[i] as number) + (bias[i] as number));
}

/** The error function by its Taylor series, to double precision for the |x| that occur here. */
export function erf(x: number): number {
  if (Math.abs(x) > 5) return Math.sign(x);
  let term = x;
  let total = x;
  for (let n = 1; n < 200; n++) {
    term *= -(x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}

export function gelu(x: number): number {
  return 0.5 * x * (1 + erf(x / Math.SQRT2));
}

/** A picture [H, W, C] of one batch item, read outside its border as zero. */
export interface Grid {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly data: ArrayLike<number>;
}

export function pixel({ height, width, channels, data }: Grid, y: number, x: number, c: number): number {
  const isInside = y >= 0 && y < height && x >= 0 && x < width;
  return isInside ? (data[(y * width + x) * channels + c] as number) : 0;
}

/** PyTorch's conv2d of one picture: weight [out, in, k, k], result [H', W', out]. */
export function convolve(
  input: Grid,
  weight: { readonly shape: readonly number[]; readonly data: ArrayLike<number> },
  bias: ArrayLike<number> | null,
  { stride, padding }: { stride: number; padding: number },
): Grid & { data: number[] } {
  const [out = 0, channels = 0, k = 0] = weight.shape;
  const height = Math.floor((input.height + 2 * padding - k) / stride) + 1;
  const width = Math.floor((input.width + 2 * padding - k) / stride) + 1;
  const data = Array.from({ length: height * width * out }, (_, index) => {
    const o = index % out;
    const x = Math.floor(index / out) % width;
    const y = Math.floor(index / (out * width));
    const total = sum(channels * k * k, (i) => {
      const c = Math.floor(i / (k * k));
      const dy = Math.floor(i / k) % k;
      const w = weight.data[o * channels * k * k + i] as number;
      return w * pixel(input, y * stride + dy - padding, x * stride + (i % k) - padding, c);
    });
    return total + (bias?.[o] ?? 0);
  });
  return { height, width, channels: out, data };
}

/** PyTorch's conv_transpose2d with stride = kernel: weight [in, out, k, k], result [k·H, k·W, out]. */
export function convolveTransposed(
  input: Grid,
  weight: { readonly shape: readonly number[]; readonly data: ArrayLike<number> },
  bias: ArrayLike<number>,
): Grid & { data: number[] } {
  const [channels = 0, out = 0, k = 0] = weight.shape;
  const [height, width] = [k * input.height, k * input.width];
  const data = Array.from({ length: height * width * out }, (_, index) => {
    const o = index % out;
    const x = Math.floor(index / out) % width;
    const y = Math.floor(index / (out * width));
    const total = sum(channels, (c) => {
      const w = weight.data[((c * out + o) * k + (y % k)) * k + (x % k)] as number;
      return w * pixel(input, Math.floor(y / k), Math.floor(x / k), c);
    });
    return total + (bias[o] as number);
  });
  return { height, width, channels: out, data };
}

/** PyTorch's bilinear interpolation (align_corners=False) of rows of numbers; source positions in float32, as there. */
export function interpolate(image: Matrix, height: number, width: number): Matrix {
  const position = (i: number, from: number, to: number): number =>
    Math.max(0, Math.fround(Math.fround(Math.fround(from / to) * (i + 0.5)) - 0.5));
  const [rows, columns] = [image.length, (image[0] ?? []).length];
  const at = (y: number, x: number): number => entry(image, Math.min(y, rows - 1), Math.min(x, columns - 1));
  return matrix(height, width, (y, x) => {
    const [v, u] = [position(y, rows, height), position(x, columns, width)];
    const [i, j] = [Math.floor(v), Math.floor(u)];
    const above = at(i, j) * (1 - (u - j)) + at(i, j + 1) * (u - j);
    const below = at(i + 1, j) * (1 - (u - j)) + at(i + 1, j + 1) * (u - j);
    return above * (1 - (v - i)) + below * (v - i);
  });
}

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
