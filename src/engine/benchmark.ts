/** Speed of matrix products by kind, next to one plain product of the same size. */
import { median } from '../median.js';
import * as tf from './tf.js';

export interface MatMulRow {
  readonly variant: string;
  /** Side of the square matrices. */
  readonly size: number;
  /** Billion floating-point operations a second: median, slowest and fastest of the repetitions. */
  readonly gigaflops: number;
  readonly slowest: number;
  readonly fastest: number;
  /** Median, over alternating pairs, of the rate as a share of `plain`'s: one call of the library's product. */
  readonly fraction: number;
}

const BATCH = 4;
const TRANSPOSED = ['', 'A·Bᵀ', 'Aᵀ·B', 'Aᵀ·Bᵀ'];

/** A ᵀ in its name says what is transposed. */
type Variant = readonly [name: string, batchA: number[], batchB: number[]];
const VARIANTS: readonly Variant[] = [
  ...TRANSPOSED.map((name): Variant => [name === '' ? 'plain' : name, [], []]),
  ...TRANSPOSED.map((name): Variant => [`batched ${name}`.trim(), [BATCH], [BATCH]]),
  ['broadcast B', [BATCH], [1]],
  ['broadcast A', [1], [BATCH]],
  ['broadcast Aᵀ·B', [BATCH], [1]],
  ['broadcast A·Bᵀ', [1], [BATCH]],
];

/** @param sizes sides of the matrices @param repetitions of each measurement, after one to warm up */
export async function benchmarkMatMul(sizes: readonly number[] = [512, 1024], repetitions = 7): Promise<MatMulRow[]> {
  const rows: MatMulRow[] = [];
  for (const size of sizes) {
    for (const variant of VARIANTS) {
      rows.push({ variant: variant[0], size, ...(await measure(variant, size, repetitions)) });
    }
  }
  return rows;
}

/** Variant and plain product alternate, so that a busy machine slows both. */
async function measure([name, batchA, batchB]: Variant, size: number, repetitions: number) {
  const a = tf.randomUniform([...batchA, size, size], -1, 1, 'float32', 1);
  const b = tf.randomUniform([...batchB, size, size], -1, 1, 'float32', 2);
  const plainA = tf.randomUniform([size, size], -1, 1, 'float32', 3);
  const plainB = tf.randomUniform([size, size], -1, 1, 'float32', 4);
  const products = Math.max(tf.util.sizeFromShape(batchA), tf.util.sizeFromShape(batchB));
  const rates: number[] = [];
  const fractions: number[] = [];
  for (let i = 0; i <= repetitions; i++) {
    const plain = await secondsOf(() => tf.matMul(plainA, plainB));
    const product = (): tf.Tensor => tf.matMul(a, b, name.includes('Aᵀ'), name.includes('Bᵀ'));
    const seconds = (await secondsOf(product)) / products;
    if (i === 0) continue; // the first run warms up
    rates.push((2 * size ** 3) / seconds / 1e9);
    fractions.push(plain / seconds);
  }
  tf.dispose([a, b, plainA, plainB]);
  const [slowest, fastest] = [Math.min(...rates), Math.max(...rates)];
  return { gigaflops: median(rates), slowest, fastest, fraction: median(fractions) };
}

async function secondsOf(compute: () => tf.Tensor): Promise<number> {
  const start = performance.now();
  const result = compute();
  if (tf.getBackend() !== 'wasm') await result.data(); // others may compute later
  const seconds = (performance.now() - start) / 1000;
  result.dispose();
  return seconds;
}
