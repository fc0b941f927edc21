/** The two engines of matrix products: a BLAS library on the WASM heap, and plain WebAssembly where none is found. */
import type { Blas } from '../blas.js';
import * as tf from '../tf.js';
import { FLOAT_BYTES, floatView, offsetOf, type WasmBackend, withShape } from '../wasm-heap.js';
import type { MatMulEngine } from './matmul.js';

export function blasMatMul(blas: Blas): MatMulEngine {
  let heap: ArrayBuffer | null = null;
  let heapAddress = 0;
  return (backend, a, b, out, job) => {
    const buffer = backend.wasm.HEAPU8.buffer;
    if (buffer !== heap) {
      heap = buffer; // the heap has grown
      heapAddress = blas.addressOf(buffer);
    }
    const aAddress = heapAddress + offsetOf(backend, a);
    const bAddress = heapAddress + offsetOf(backend, b);
    const outAddress = heapAddress + offsetOf(backend, out);
    const { m, n, k, transposeA, transposeB, aStarts, bStarts } = job;
    const isVector = m === 1 || n === 1;
    // sgemv adds to what is there, and 0 · NaN of old memory is NaN.
    if (isVector) floatView(backend, out).fill(0);
    for (let i = 0; i < aStarts.length; i++) {
      const aStart = aAddress + (aStarts[i] as number) * FLOAT_BYTES;
      const bStart = bAddress + (bStarts[i] as number) * FLOAT_BYTES;
      const outStart = outAddress + i * m * n * FLOAT_BYTES;
      if (!isVector) {
        blas.multiply(m, n, k, transposeA, transposeB, aStart, bStart, outStart);
      } else if (m === 1) {
        // aᵀ is a vector: out = op(b)ᵀ · a
        blas.multiplyVector(transposeB ? n : k, transposeB ? k : n, !transposeB, bStart, aStart, outStart);
      } else {
        blas.multiplyVector(transposeA ? k : m, transposeA ? m : k, transposeA, aStart, bStart, outStart);
      }
    }
  };
}

type Product = (...values: unknown[]) => void;
const products = new WeakMap<WasmBackend, Product>();

function productOf(backend: WasmBackend): Product {
  let product = products.get(backend);
  if (product === undefined) {
    const matrix = ['number', 'array', 'number'];
    product = backend.wasm.cwrap('BatchMatMul', null, [...matrix, ...matrix, 'number', 'number', 'number']);
    products.set(backend, product);
  }
  return product;
}

/**
 * Matrix products without BLAS. tfjs's kernel (XNNPACK) is fast for one untransposed product and 10 to 30 times slower
 * for anything else, so transposes are explicit and a batch is a loop. XNNPACK keeps packed weights under the tensor's
 * id; each call uses ids of its own, so that none is stale.
 */
export const plainMatMul: MatMulEngine = (backend, a, b, out, job) => {
  const { m, n, k, aStarts, bStarts } = job;
  const aMatrices = job.transposeA ? transposed(backend, a, k, m) : a;
  const bMatrices = job.transposeB ? transposed(backend, b, n, k) : b;
  const product = productOf(backend);
  const aShape = new Uint8Array(Int32Array.of(1, m, k).buffer);
  const bShape = new Uint8Array(Int32Array.of(1, k, n).buffer);
  for (let i = 0; i < aStarts.length; i++) {
    const aMatrix = aliasId(backend, aMatrices, aStarts[i] as number, m * k);
    const bMatrix = aliasId(backend, bMatrices, bStarts[i] as number, k * n);
    const outMatrix = aliasId(backend, out, i * m * n, m * n);
    product(aMatrix.id, aShape, 3, bMatrix.id, bShape, 3, 0, 0, outMatrix.id);
    for (const alias of [aMatrix, bMatrix, outMatrix]) alias.release();
  }
  if (aMatrices !== a) backend.disposeData(aMatrices.dataId);
  if (bMatrices !== b) backend.disposeData(bMatrices.dataId);
};

/** All matrices [rows, columns] of a tensor, transposed; a new tensor. */
function transposed(backend: WasmBackend, tensor: tf.TensorInfo, rows: number, columns: number): tf.TensorInfo {
  const kernel = tf.getKernel('Transpose', 'wasm');
  const count = tf.util.sizeFromShape(tensor.shape) / (rows * columns);
  const x = withShape(tensor, [count, rows, columns]);
  return kernel.kernelFunc({ inputs: { x }, attrs: { perm: [0, 2, 1] }, backend }) as tf.TensorInfo;
}

/** A second tensor id for a part of a tensor's memory. */
function aliasId(backend: WasmBackend, tensor: tf.TensorInfo, start: number, size: number) {
  const alias = backend.makeOutput([size], 'float32', offsetOf(backend, tensor) + start * FLOAT_BYTES);
  const { id } = backend.dataIdMap.get(alias.dataId);
  return {
    id,
    release: (): void => {
      // Forgets the id without freeing the memory, which belongs to the tensor.
      backend.wasm.tfjs.disposeData(id);
      backend.dataIdMap.delete(alias.dataId);
    },
  };
}
