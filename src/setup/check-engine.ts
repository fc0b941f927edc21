/**
 * Run in a process of its own after setting up: starts the engine tensorflow, compares a product and gradients with
 * sums in JavaScript, measures, and prints one JSON object. Exit code 1 and one line on stderr where it fails.
 */
import { startEngine } from '../engine/engine.js';
import * as tf from '../engine/tf.js';
import { messageOf } from '../errors.js';
import { Random } from '../random.js';

const SIZE = 48;
const SPEED_SIZE = 1024;
const TOLERANCE = 1e-4;

/** What is printed. */
export interface EngineCheck {
  readonly device: string;
  readonly library: string | null;
  readonly gigaflops: number;
  readonly notice: string | null;
}

async function check(): Promise<EngineCheck> {
  const info = await startEngine({ engine: 'tensorflow' });
  const before = tf.memory().numTensors;
  const error = tf.tidy(largestError);
  if (!(error <= TOLERANCE)) throw new Error(`it computes wrongly: a product differs by ${error} from its sums`);
  const gigaflops = tf.tidy(measure);
  const left = tf.memory().numTensors - before;
  if (left !== 0) throw new Error(`it leaves ${left} tensors behind`);
  return { device: info.device, library: info.blas, gigaflops, notice: info.notice };
}

/** Of a·b and of the gradient of Σ (a·b)² / 2 by a, which is (a·b)·bᵀ. */
function largestError(): number {
  const random = new Random(1);
  const values = (): Float32Array => Float32Array.from({ length: SIZE * SIZE }, () => random.uniform() - 0.5);
  const [a, b] = [values(), values()];
  const product = multiply(a, b);
  const gradient = multiply(product, transpose(b));
  const second = tf.tensor2d(b, [SIZE, SIZE]);
  const energy = (x: tf.Tensor): tf.Scalar => tf.mul(tf.sum(tf.square(tf.matMul(x, second))), 0.5);
  const first = tf.tensor2d(a, [SIZE, SIZE]);
  const found = [tf.matMul(first, second), tf.grad(energy)(first)].map((tensor) => tensor.dataSync<'float32'>());
  return Math.max(...[product, gradient].flatMap((expected, i) => differences(expected, found[i])));
}

function differences(expected: Float32Array, found: Float32Array | undefined): number[] {
  return Array.from(expected, (value, i) => Math.abs(value - (found?.[i] ?? NaN)));
}

function multiply(a: Float32Array, b: Float32Array): Float32Array {
  return Float32Array.from({ length: SIZE * SIZE }, (_, at) => {
    const [row, column] = [Math.floor(at / SIZE), at % SIZE];
    let sum = 0;
    for (let k = 0; k < SIZE; k++) sum += (a[row * SIZE + k] as number) * (b[k * SIZE + column] as number);
    return sum;
  });
}

function transpose(a: Float32Array): Float32Array {
  return Float32Array.from(a, (_, at) => a[(at % SIZE) * SIZE + Math.floor(at / SIZE)] as number);
}

/** The fastest of ten products, in GFLOP/s. */
function measure(): number {
  const matrix: tf.Tensor2D = tf.randomUniform([SPEED_SIZE, SPEED_SIZE], 0, 1, 'float32', 1);
  let fastest = Infinity;
  for (let i = 0; i < 10; i++) {
    const startedAt = performance.now();
    const product = tf.matMul(matrix, matrix);
    tf.slice(product, [0, 0], [1, 1]).dataSync(); // waits until it is there
    fastest = Math.min(fastest, performance.now() - startedAt);
    product.dispose();
  }
  return (2 * SPEED_SIZE ** 3) / (fastest * 1e6);
}

check().then(
  (result) => process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0)),
  (error: unknown) => process.stderr.write(`${messageOf(error)}\n`, () => process.exit(1)),
);
