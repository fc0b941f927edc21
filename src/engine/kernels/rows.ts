/** Sums along and across the rows of a matrix on the heap, in float64. Four partial sums run in parallel. */

/** Σ values[start … start + width). */
export function rowSum(values: Float32Array, start: number, width: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const end = start + width;
  let i = start;
  for (; i + 3 < end; i += 4) {
    s0 += values[i] as number;
    s1 += values[i + 1] as number;
    s2 += values[i + 2] as number;
    s3 += values[i + 3] as number;
  }
  for (; i < end; i++) s0 += values[i] as number;
  return s0 + s1 + (s2 + s3);
}

/** Σ (values[i] - centre)² over a row. */
export function rowSquares(values: Float32Array, start: number, width: number, centre: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const end = start + width;
  let i = start;
  for (; i + 3 < end; i += 4) {
    const d0 = (values[i] as number) - centre;
    const d1 = (values[i + 1] as number) - centre;
    const d2 = (values[i + 2] as number) - centre;
    const d3 = (values[i + 3] as number) - centre;
    s0 += d0 * d0;
    s1 += d1 * d1;
    s2 += d2 * d2;
    s3 += d3 * d3;
  }
  for (; i < end; i++) {
    const d = (values[i] as number) - centre;
    s0 += d * d;
  }
  return s0 + s1 + (s2 + s3);
}

/** out[j] = Σ over rows of values[row, j]. */
export function columnSums(values: Float32Array, rows: number, width: number, out: Float32Array): void {
  const sums = new Float64Array(width);
  let row = 0;
  for (; row + 3 < rows; row += 4) {
    const [r0, r1, r2, r3] = [row * width, (row + 1) * width, (row + 2) * width, (row + 3) * width];
    for (let j = 0; j < width; j++) {
      const upper = (values[r0 + j] as number) + (values[r1 + j] as number);
      const lower = (values[r2 + j] as number) + (values[r3 + j] as number);
      sums[j] = (sums[j] as number) + (upper + lower);
    }
  }
  for (; row < rows; row++) {
    const start = row * width;
    for (let j = 0; j < width; j++) sums[j] = (sums[j] as number) + (values[start + j] as number);
  }
  out.set(sums);
}
