/**
 * Three kernels of packed matrices (`packed-matrix.ts`) and their one gradient, with formulas for engines without such
 * kernels, which widen in JavaScript.
 */
import { asMatrix } from './composites.js';
import { type PackedMatrix, packedOf, widened } from './packed-matrix.js';
import * as tf from './tf.js';
import { replaceKernel } from './wasm-heap.js';

/** On a backend `B`; results are new tensors. */
export interface PackedKernels<B = unknown> {
  /** x [..., columns] → x · Wᵀ [..., rows] */
  readonly multiply: (backend: B, x: tf.Tensor, matrix: PackedMatrix) => tf.TensorInfo;
  /** dy [..., rows] → dx = dy · W [..., columns] */
  readonly multiplyBack: (backend: B, dy: tf.Tensor, matrix: PackedMatrix) => tf.TensorInfo;
  /** ids int32 [...] → rows [..., columns] */
  readonly gather: (backend: B, ids: tf.Tensor, matrix: PackedMatrix) => tf.TensorInfo;
}

/** May be called again with others. */
export function registerPackedKernels<B>(backendName: string, kernels: PackedKernels<B>): void {
  const register = (kernelName: string, inputName: string, kernel: PackedKernels<B>['multiply']): void => {
    replaceKernel(kernelName, backendName, ({ inputs, attrs, backend }) => {
      return kernel(backend as B, inputs[inputName] as tf.Tensor, packedOf(attrs));
    });
  };
  register('GsvaPackedLinear', 'x', kernels.multiply);
  register('GsvaPackedLinearGradX', 'dy', kernels.multiplyBack);
  register('GsvaPackedRows', 'ids', kernels.gather);
  tf.registerGradient({
    kernelName: 'GsvaPackedLinear',
    gradFunc: (dy, _saved, attrs) => ({
      x: () => tf.engine().runKernel('GsvaPackedLinearGradX', { dy: dy as tf.Tensor }, attrs),
    }),
  });
}

/** Formulas of other operations, the matrix widened in JavaScript. */
export const PACKED_FORMULAS: PackedKernels = {
  multiply: (_, x, matrix) =>
    tf.tidy(() => {
      const parts = matrix.blocks().map(({ first, count }) => {
        return tf.tidy(() => tf.matMul(asMatrix(x), widenedRows(matrix, first, count), false, true));
      });
      return withLastAxis(tf.concat(parts, 1), x.shape, matrix.rows);
    }),
  multiplyBack: (_, dy, matrix) =>
    tf.tidy(() => {
      const rows = asMatrix(dy);
      const [count] = rows.shape;
      let sum: tf.Tensor = tf.zeros([count, matrix.columns]);
      for (const block of matrix.blocks()) {
        const before = sum;
        sum = tf.tidy(() => {
          const part = tf.slice(rows, [0, block.first], [count, block.count]);
          return tf.add(before, tf.matMul(part, widenedRows(matrix, block.first, block.count)));
        });
        before.dispose();
      }
      return withLastAxis(sum, dy.shape, matrix.columns);
    }),
  gather: (_, ids, matrix) =>
    tf.tidy(() => {
      const indices = ids.dataSync();
      const { columns, dtype } = matrix;
      const out = new Float32Array(indices.length * columns);
      for (const [place, id] of indices.entries()) out.set(widened(matrix.bits(id, 1), dtype), place * columns);
      return tf.tensor(out, [...ids.shape, columns]);
    }),
};

function widenedRows(matrix: PackedMatrix, first: number, count: number): tf.Tensor2D {
  return tf.tensor2d(widened(matrix.bits(first, count), matrix.dtype), [count, matrix.columns]);
}

function withLastAxis(x: tf.Tensor, shape: readonly number[], width: number): tf.Tensor {
  return tf.reshape(x, [...shape.slice(0, -1), width]);
}
