/**
 * Kernels that tfjs's WASM backend lacks, does 50 times too slowly (gather), or does with too many copies: Identity
 * copies its input, Slice and Split copy the whole input out of the heap to read a part.
 */
import { vectorKernels } from '../simd/vector-kernels.js';
import * as tf from '../tf.js';
import {
  type KernelCall,
  floatView,
  input,
  intView,
  makeFloats,
  offsetOf,
  pointer,
  registerWasmKernel,
  withShape,
} from '../wasm-heap.js';
import { type MatMulEngine, matMul } from './matmul.js';

const FLOAT_BYTES = 4;

function gather(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const xInfo = input(call, 'x');
  const indicesInfo = input(call, 'indices');
  const { axis, batchDims } = call.attrs as unknown as { axis: number; batchDims: number };
  const parsedAxis = axis < 0 ? axis + xInfo.shape.length : axis;
  const { batchSize, outerSize, dimSize, sliceSize, outputShape } = gatherShapes(
    xInfo,
    indicesInfo,
    parsedAxis,
    batchDims,
  );
  const out = backend.makeOutput(outputShape, xInfo.dtype);
  const indices = intView(backend, indicesInfo);
  const perBatch = batchSize === 0 ? 0 : indices.length / batchSize;
  const bytes = sliceSize * tf.util.bytesPerElement(xInfo.dtype);
  const heap = backend.wasm.HEAPU8;
  const from = offsetOf(backend, xInfo);
  let to = offsetOf(backend, out);
  for (let batch = 0; batch < batchSize; batch++) {
    for (let outer = 0; outer < outerSize; outer++) {
      const start = from + (batch * outerSize + outer) * dimSize * bytes;
      for (let i = 0; i < perBatch; i++) {
        const index = indices[batch * perBatch + i] as number;
        if (index < 0 || index >= dimSize) throw new Error(`gather: index ${index} is outside [0, ${dimSize}).`);
        heap.copyWithin(to, start + index * bytes, start + (index + 1) * bytes);
        to += bytes;
      }
    }
  }
  return out;
}

function gatherShapes(x: tf.TensorInfo, indices: tf.TensorInfo, axis: number, batchDims: number) {
  const size = (shape: readonly number[]): number => tf.util.sizeFromShape([...shape]);
  return {
    batchSize: size(x.shape.slice(0, batchDims)),
    outerSize: size(x.shape.slice(batchDims, axis)),
    dimSize: x.shape[axis] as number,
    sliceSize: size(x.shape.slice(axis + 1)),
    outputShape: [...x.shape.slice(0, axis), ...indices.shape.slice(batchDims), ...x.shape.slice(axis + 1)],
  };
}

/** The gradient of gather: out[s] = Σ x[i] over segmentIds[i] = s; negative ids are dropped. */
function unsortedSegmentSum(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const xInfo = input(call, 'x');
  const idsInfo = input(call, 'segmentIds');
  const { numSegments } = call.attrs as unknown as { numSegments: number };
  const inner = xInfo.shape.slice(idsInfo.shape.length);
  const width = tf.util.sizeFromShape(inner);
  const out = makeFloats(backend, [numSegments, ...inner]);
  const ids = intView(backend, idsInfo);
  const x = pointer(backend, xInfo);
  const sums = floatView(backend, out).fill(0).byteOffset;
  const { accumulate } = vectorKernels(backend);
  for (let i = 0; i < ids.length; i++) {
    const segment = ids[i] as number;
    if (segment < 0) continue;
    if (segment >= numSegments) throw new Error(`unsortedSegmentSum: id ${segment} is not below ${numSegments}.`);
    accumulate(sums + segment * width * FLOAT_BYTES, x + i * width * FLOAT_BYTES, 1, width);
  }
  return out;
}

interface ConvAttributes {
  readonly strides: [number, number] | number;
  readonly pad: 'valid' | 'same' | number;
  readonly dataFormat: 'NHWC' | 'NCHW';
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
  readonly filterShape: [number, number, number, number];
}

/**
 * The filter's gradient of a convolution: for each of its positions, dw [in, out] = patchesᵀ [in, N·H·W] · dy.
 * x [N, H, W, in], dy [N, H', W', out].
 */
function conv2DBackpropFilter(engine: MatMulEngine, call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const xInfo = input(call, 'x');
  const dy = input(call, 'dy');
  const { strides, pad, dataFormat, dimRoundingMode, filterShape } = call.attrs as unknown as ConvAttributes;
  if (dataFormat !== 'NHWC') throw new Error(`Conv2DBackpropFilter knows NHWC, but was given ${dataFormat}.`);
  const shape = xInfo.shape as [number, number, number, number];
  const conv = tf.backend_util.computeConv2DInfo(shape, filterShape, strides, 1, pad, dimRoundingMode);
  const { batchSize, outHeight, outWidth, inHeight, inWidth, inChannels, outChannels } = conv;
  const rows = batchSize * outHeight * outWidth;
  const out = makeFloats(backend, filterShape);
  const patches = makeFloats(backend, [rows, inChannels]);
  const dyRows = withShape(dy, [rows, outChannels]);
  for (let fy = 0; fy < conv.filterHeight; fy++) {
    for (let fx = 0; fx < conv.filterWidth; fx++) {
      const x = floatView(backend, xInfo);
      const rowsOfX = floatView(backend, patches).fill(0);
      for (let row = 0; row < rows; row++) {
        const inY = (Math.floor(row / outWidth) % outHeight) * conv.strideHeight + fy - conv.padInfo.top;
        const inX = (row % outWidth) * conv.strideWidth + fx - conv.padInfo.left;
        if (inY < 0 || inY >= inHeight || inX < 0 || inX >= inWidth) continue; // padding
        const image = Math.floor(row / (outHeight * outWidth));
        const start = ((image * inHeight + inY) * inWidth + inX) * inChannels;
        for (let c = 0; c < inChannels; c++) rowsOfX[row * inChannels + c] = x[start + c] as number;
      }
      const dw = matMul(engine, backend, patches, dyRows, true, false);
      const start = (fy * conv.filterWidth + fx) * inChannels * outChannels * FLOAT_BYTES;
      const from = offsetOf(backend, dw);
      const bytes = backend.wasm.HEAPU8;
      bytes.copyWithin(offsetOf(backend, out) + start, from, from + inChannels * outChannels * FLOAT_BYTES);
      backend.disposeData(dw.dataId);
    }
  }
  backend.disposeData(patches.dataId);
  return out;
}

export function registerMissing(engine: MatMulEngine): void {
  registerWasmKernel('GatherV2', gather);
  registerWasmKernel('UnsortedSegmentSum', unsortedSegmentSum);
  registerWasmKernel('Conv2DBackpropFilter', (call) => conv2DBackpropFilter(engine, call));
}

function identity(call: KernelCall): tf.TensorInfo {
  const { dataId, shape, dtype } = input(call, 'x');
  call.backend.incRef(dataId);
  return { dataId, shape, dtype };
}

function slice(call: KernelCall): tf.TensorInfo {
  const x = input(call, 'x');
  const { begin, size } = call.attrs as unknown as { begin: number | number[]; size: number | number[] };
  const [from, sizes] = tf.slice_util.parseSliceParams(x, begin, size) as [number[], number[]];
  tf.slice_util.assertParamsValid(x, from, sizes);
  return part(call, x, from, sizes);
}

function splitV(call: KernelCall): tf.TensorInfo[] {
  const x = input(call, 'x');
  const { numOrSizeSplits, axis } = call.attrs as unknown as { numOrSizeSplits: number | number[]; axis: number };
  const parsedAxis = axis < 0 ? axis + x.shape.length : axis;
  const lengths = tf.backend_util.prepareSplitSize(x, numOrSizeSplits, parsedAxis);
  let start = 0;
  return lengths.map((length) => {
    const from = x.shape.map((_, axisHere) => (axisHere === parsedAxis ? start : 0));
    const sizes = x.shape.map((size, axisHere) => (axisHere === parsedAxis ? length : size));
    start += length;
    return part(call, x, from, sizes);
  });
}

/** Copies runs of neighbouring numbers: the trailing axes that are taken whole, with the one before them. */
function part({ backend }: KernelCall, x: tf.TensorInfo, from: readonly number[], sizes: readonly number[]) {
  const out = backend.makeOutput([...sizes], x.dtype);
  const count = tf.util.sizeFromShape([...sizes]);
  if (count === 0) return out;
  let inner = Math.max(0, x.shape.length - 1);
  while (inner > 0 && sizes[inner] === x.shape[inner]) inner--;
  const strides = [...tf.util.computeStrides(x.shape), 1].map((stride) => stride * tf.util.bytesPerElement(x.dtype));
  const stride = (axis: number): number => strides[axis] ?? 1;
  const run = (sizes[inner] ?? 1) * stride(inner);
  const heap = backend.wasm.HEAPU8;
  let to = offsetOf(backend, out);
  const copy = (axis: number, offset: number): void => {
    const start = offset + (from[axis] ?? 0) * stride(axis);
    if (axis === inner) {
      heap.copyWithin(to, start, start + run);
      to += run;
      return;
    }
    for (let i = 0; i < (sizes[axis] ?? 1); i++) copy(axis + 1, start + i * stride(axis));
  };
  copy(0, offsetOf(backend, x));
  return out;
}

export function registerSharing(): void {
  registerWasmKernel('Identity', identity);
  registerWasmKernel('Slice', slice);
  registerWasmKernel('SplitV', splitV);
}
