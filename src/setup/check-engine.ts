/**
 * Program of a process of its own: starts the engine of its argument, compares a product and its gradients with sums in
 * JavaScript, measures, and prints an EngineAnswer.
 */
import { startEngine } from '../engine/engine.js';
import * as tf from '../engine/tf.js';
import { UserError, messageOf } from '../errors.js';
import { Random } from '../random.js';
import type { EngineAnswer, EngineRequest } from './engine-answer.js';

const SIZE = 48;
const SPEED_SIZE = { brief: 512, whole: 1024 };
const MOST_RUNS = 10;
/** Time after which no further run is begun. */
const MOST_MILLISECONDS = { brief: 200, whole: 1000 };
const TOLERANCE = 1e-4;

async function check(request: EngineRequest): Promise<EngineAnswer> {
  const info = await startEngine(request);
  const before = tf.memory().numTensors;
  const error = await largestError();
  if (!(error <= TOLERANCE)) throw new Error(`it computes wrongly: a product differs by ${error} from its sums`);
  const gigaflops = await measure(request.isBrief === true ? 'brief' : 'whole');
  const left = tf.memory().numTensors - before;
  if (left !== 0) throw new Error(`it leaves ${left} tensors behind`);
  return { outcome: 'works', info, gigaflops };
}

/** Error of a·b and of the gradient of Σ (a·b)² 2 by a, which is (a·b)·bᵀ. */
async function largestError(): Promise<number> {
  const random = new Random(1);
  const values = (): Float32Array => Float32Array.from({ length: SIZE * SIZE }, () => random.uniform() - 0.5);
  const [a, b] = [values(), values()];
  const product = multiply(a, b);
  const gradient = multiply(product, transpose(b));
  const computed = tf.tidy(() => {
    const second = tf.tensor2d(b, [SIZE, SIZE]);
    const energy = (x: tf.Tensor): tf.Scalar => tf.mul(tf.sum(tf.square(tf.matMul(x, second))), 0.5);
    const first = tf.tensor2d(a, [SIZE, SIZE]);
    return [tf.matMul(first, second), tf.grad(energy)(first)];
  });
  const found = await Promise.all(computed.map((tensor) => tensor.data<'float32'>()));
  tf.dispose(computed);
  const differences = [product, gradient].flatMap((expected, i) =>
    Array.from(expected, (value, at) => Math.abs(value - (found[i]?.[at] ?? NaN))),
  );
  return Math.max(...differences);
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

async function measure(length: 'brief' | 'whole'): Promise<number> {
  const size = SPEED_SIZE[length];
  const matrix: tf.Tensor2D = tf.randomUniform([size, size], 0, 1, 'float32', 1);
  let fastest = Infinity;
  const end = performance.now() + MOST_MILLISECONDS[length];
  for (let i = 0; i < MOST_RUNS && (i === 0 || performance.now() < end); i++) {
    const startedAt = performance.now();
    const corner = tf.tidy(() => tf.slice(tf.matMul(matrix, matrix), [0, 0], [1, 1]));
    await corner.data(); // waits until it is there
    fastest = Math.min(fastest, performance.now() - startedAt);
    corner.dispose();
  }
  matrix.dispose();
  return (2 * size ** 3) / (fastest * 1e6);
}

void check(JSON.parse(process.argv[2] ?? '{}') as EngineRequest)
  .catch((error: unknown): EngineAnswer => {
    return { outcome: error instanceof UserError ? 'refused' : 'broken', why: messageOf(error) };
  })
  .then((answer) => process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0)));
