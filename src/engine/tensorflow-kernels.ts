/** Operations that @tensorflow/tfjs-node does slower, or with more memory, than TensorFlow can. */
import type * as tf from './tf.js';
import { findKernel, replaceKernel } from './wasm-heap.js';

export interface TensorflowTensor {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: number;
}

export interface OperationAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: number | boolean;
}

/** TensorFlow's constants, by the names of its C API. */
type Constants = Readonly<
  Record<'TF_ATTR_BOOL' | 'TF_ATTR_INT' | 'TF_ATTR_TYPE' | 'TF_FLOAT' | 'TF_INT32' | 'TF_UINT8', number>
>;

/** The part of the addon in use. */
export interface TensorflowBinding extends Constants {
  createTensor(shape: readonly number[], type: number, values: Int32Array | Uint8Array): number;
  deleteTensor(id: number): void;
  executeOp(
    operation: string,
    attributes: readonly OperationAttribute[],
    inputs: readonly number[],
    outputs: number,
  ): TensorflowTensor[];
  tensorDataSync(id: number): Int32Array;
}

/** The part of tfjs-node's backend in use. */
export interface TensorflowBackend extends tf.KernelBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: TensorflowBinding;
  /** Makes one of TensorFlow's tensors ours. */
  createOutputTensor(tensor: TensorflowTensor): tf.TensorInfo;
  executeSingleOutput(
    operation: string,
    attributes: readonly OperationAttribute[],
    inputs: readonly tf.TensorInfo[],
  ): tf.TensorInfo;
  /** TensorFlow's tensors; those whose numbers are still in JavaScript are copied over first. */
  getInputTensorIds(tensors: readonly tf.TensorInfo[]): number[];
}

/** Smaller tensors are not worth a call. */
const LARGE = 2 ** 18;

/**
 * tfjs-node leaves numbers in JavaScript until first use, so a model's weights would lie in memory twice. Large tensors
 * are copied at once, and their array is free for collection.
 */
export function copyLargeTensorsAtOnce(backend: TensorflowBackend): void {
  const move = backend.move.bind(backend);
  backend.move = (dataId, values, shape, dtype, references) => {
    move(dataId, values, shape, dtype, references);
    const isLarge = (values instanceof Float32Array || values instanceof Int32Array) && values.length >= LARGE;
    if (isLarge) backend.getInputTensorIds([{ dataId, shape, dtype }]);
  };
}

interface MatMulCall {
  readonly inputs: { readonly a: tf.TensorInfo; readonly b: tf.TensorInfo };
  readonly backend: TensorflowBackend;
  readonly attrs: { readonly transposeA: boolean; readonly transposeB: boolean };
}

/**
 * tfjs-node uses BatchMatMulV2 only. For two matrices MatMul does the same, five times as fast where one of them is a
 * single row, as for a generated token.
 */
export function registerTensorflowKernels(backend: TensorflowBackend): void {
  const original = findKernel('BatchMatMul', 'tensorflow')?.kernelFunc as
    ((call: MatMulCall) => tf.TensorInfo) | undefined;
  if (original === undefined) throw new Error('registerTensorflowKernels: the backend has no BatchMatMul');
  const { TF_ATTR_BOOL, TF_ATTR_TYPE, TF_FLOAT } = backend.binding;
  const kernel = (call: MatMulCall): tf.TensorInfo => {
    const { a, b } = call.inputs;
    if (a.shape.length !== 2 || b.shape.length !== 2) return original(call);
    const attributes = [
      { name: 'transpose_a', type: TF_ATTR_BOOL, value: call.attrs.transposeA },
      { name: 'transpose_b', type: TF_ATTR_BOOL, value: call.attrs.transposeB },
      { name: 'T', type: TF_ATTR_TYPE, value: TF_FLOAT },
    ];
    return call.backend.executeSingleOutput('MatMul', attributes, [a, b]);
  };
  replaceKernel('BatchMatMul', 'tensorflow', kernel as unknown as tf.KernelFunc);
}

/**
 * Writes rows of a tensor in place: all tensors that share its memory change.
 * @param tensor float32, of any shape but a scalar's
 * @param rows int32 [n], numbers of the rows
 * @param values [n, …]
 */
export function writeRows(backend: TensorflowBackend, tensor: tf.Tensor, rows: tf.Tensor, values: tf.Tensor): void {
  const { binding } = backend;
  const attributes = [{ name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT }];
  const [alias] = binding.executeOp('InplaceUpdate', attributes, backend.getInputTensorIds([tensor, rows, values]), 1);
  if (alias !== undefined) binding.deleteTensor(alias.id);
}
