/**
 * Matrix products on plain WebAssembly, where no BLAS library is found. tfjs's kernel (XNNPACK) is fast for one
 * untransposed product and 10 to 30 times slower for anything else, so transposes are explicit and a batch is a loop.
 * XNNPACK keeps packed weights under the tensor's id; each call uses ids of its own, so that none is stale.
 */
import * as tf from '../tf.js';
import { type WasmBackend, offsetOf } from '../wasm-heap.js';
import type { MatMulEngine } from './matmul.js';

const FLOAT_BYTES = 4;

type Product = (...values: unknown[]) => void;
const products = new WeakMap<WasmBackend, Product>();

function productOf(backend: WasmBackend): Product {
  let product = products.get(backend);
  if (product === undefined) {
    const number = 'number';
    product = backend.wasm.cwrap('BatchMatMul', null, [
      ...[number, 'array', number, number, 'array', number],
      ...[number, number, number],
    ]);
    products.set(backend, product);
  }
  return product;
}

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
  const x = { dataId: tensor.dataId, shape: [count, rows, columns], dtype: tensor.dtype };
  return kernel.kernelFunc({ inputs: { x }, attrs: { perm: [0, 2, 1] }, backend }) as tf.TensorInfo;
}

/** A second tensor id for a part of a tensor's memory. */
function aliasId(
  backend: WasmBackend,
  tensor: tf.TensorInfo,
  start: number,
  size: number,
): { id: number; release: () => void } {
  const alias = backend.makeOutput([size], 'float32', offsetOf(backend, tensor) + start * FLOAT_BYTES);
  const { id } = backend.dataIdMap.get(alias.dataId);
  return {
    id,
    release: () => {
      // Forgets the id without freeing the memory, which belongs to the tensor.
      backend.wasm.tfjs.disposeData(id);
      backend.dataIdMap.delete(alias.dataId);
    },
  };
}
