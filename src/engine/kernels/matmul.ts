/** BatchMatMul on the WASM backend: shapes and broadcasting, over one of two engines (`matmul-engines.ts`). */
import * as tf from '../tf.js';
import { type KernelCall, type WasmBackend, floatView, makeFloats } from '../wasm-heap.js';

/** One product of matrices of a batch, or of a batch folded into rows. Offsets count numbers from the tensors' start. */
interface MatMulJob {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** For every product of the batch, where its matrices start. */
  readonly aStarts: readonly number[];
  readonly bStarts: readonly number[];
}

/** Does the products of a job, writing product i to out + i·m·n. All sizes are at least 1. */
export type MatMulEngine = (
  backend: WasmBackend,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  out: tf.TensorInfo,
  job: MatMulJob,
) => void;

export type WasmKernel = (call: KernelCall, engine: MatMulEngine) => tf.TensorInfo | tf.TensorInfo[];
export type WasmKernels = Readonly<Record<string, WasmKernel>>;

/** op(a) · op(b) with broadcast batch axes, as tf.matMul defines it. */
export function matMul(
  engine: MatMulEngine,
  backend: WasmBackend,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
): tf.TensorInfo {
  if (a.dtype !== 'float32' || b.dtype !== 'float32') {
    throw new Error(`matMul multiplies float32 tensors, but was given ${a.dtype} and ${b.dtype}.`);
  }
  const [aRows, aColumns] = a.shape.slice(-2) as [number, number];
  const [bRows, bColumns] = b.shape.slice(-2) as [number, number];
  const [m, k] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [bInner, n] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
  if (k !== bInner) {
    const what = `[${a.shape.join(', ')}] and [${b.shape.join(', ')}] (transposeA ${transposeA}, transposeB ${transposeB})`;
    throw new Error(`matMul of ${what}: inner sizes ${k} and ${bInner} differ.`);
  }
  const aBatch = a.shape.slice(0, -2);
  const bBatch = b.shape.slice(0, -2);
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(aBatch, bBatch);
  const out = makeFloats(backend, [...batch, m, n]);
  const products = tf.util.sizeFromShape(batch);
  if (products * m * n === 0) return out;
  if (k === 0) {
    floatView(backend, out).fill(0);
    return out;
  }
  if (tf.util.sizeFromShape(bBatch) === 1 && !transposeA) {
    // One matrix for the whole batch: the batch is more rows of a. [..., m, k] → [products·m, k]
    engine(backend, a, b, out, { m: products * m, n, k, transposeA, transposeB, aStarts: [0], bStarts: [0] });
  } else {
    const aStarts = batchStarts(aBatch, batch, m * k);
    const bStarts = batchStarts(bBatch, batch, k * n);
    engine(backend, a, b, out, { m, n, k, transposeA, transposeB, aStarts, bStarts });
  }
  return out;
}

/** For every item of the broadcast batch in order, the start of its matrix in a tensor whose batch axes are `own`. */
export function batchStarts(own: readonly number[], batch: readonly number[], size: number): number[] {
  let starts = [0];
  let stride = size;
  for (let axis = batch.length - 1; axis >= 0; axis--) {
    const length = batch[axis] as number;
    const ownLength = own[axis - batch.length + own.length] ?? 1;
    const step = ownLength === 1 ? 0 : stride;
    stride *= ownLength;
    const inner = starts;
    starts = [];
    for (let i = 0; i < length; i++) for (const start of inner) starts.push(i * step + start);
  }
  return starts;
}
