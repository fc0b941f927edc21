import type { Blas } from '../blas.js';
import { floatView, offsetOf } from '../wasm-heap.js';
import type { MatMulEngine } from './matmul.js';

const FLOAT_BYTES = 4;

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
