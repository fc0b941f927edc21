/**
 * Kernels that tfjs's WASM backend lacks, does 50 times too slowly (gather), or does with too many copies: Identity
 * copies its input, Slice and Split copy the whole input out of the heap to read a part.
 */
import { vectorKernels } from '../simd/vector-kernels.js';
import * as tf from '../tf.js';
import { FLOAT_BYTES, floatView, type KernelCall, offsetOf, withShape } from '../wasm-heap.js';
import { matMul, type WasmKernel, type WasmKernels } from './matmul.js';

function gather(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const x = call.input('x');
  const batchDims = call.attribute('batchDims');
  const [axis = 0] = tf.util.parseAxisParam(call.attribute('axis'), x.shape);
  const batchSize = tf.util.sizeFromShape(x.shape.slice(0, batchDims));
  const outerSize = tf.util.sizeFromShape(x.shape.slice(batchDims, axis));
  const dimSize = x.shape[axis] as number;
  const sliceShape = x.shape.slice(axis + 1);
  const outputShape = [...x.shape.slice(0, axis), ...call.input('indices').shape.slice(batchDims), ...sliceShape];
  const out = backend.makeOutput(outputShape, x.dtype);
  const indices = call.integers('indices');
  const perBatch = batchSize === 0 ? 0 : indices.length / batchSize;
  const bytes = tf.util.sizeFromShape(sliceShape) * tf.util.bytesPerElement(x.dtype);
  const heap = backend.wasm.HEAPU8;
  const from = offsetOf(backend, x);
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

/** The gradient of gather: out[s] = Σ x[i] over segmentIds[i] = s; negative ids are dropped. */
function unsortedSegmentSum(call: KernelCall): tf.TensorInfo {
  const numSegments = call.attribute('numSegments');
  const inner = call.input('x').shape.slice(call.input('segmentIds').shape.length);
  const width = tf.util.sizeFromShape(inner);
  const out = call.output([numSegments, ...inner]);
  const [x, ids] = [call.pointer('x'), call.integers('segmentIds')];
  const sums = call.floats(out).fill(0).byteOffset;
  const { accumulate } = vectorKernels(call.backend);
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
const conv2DBackpropFilter: WasmKernel = (call, engine) => {
  const { backend } = call;
  const [xInfo, dy] = [call.input('x'), call.input('dy')];
  const { strides, pad, dataFormat, dimRoundingMode, filterShape } = call.attrs as unknown as ConvAttributes;
  if (dataFormat !== 'NHWC') throw new Error(`Conv2DBackpropFilter knows NHWC, but was given ${dataFormat}.`);
  const shape = xInfo.shape as [number, number, number, number];
  const conv = tf.backend_util.computeConv2DInfo(shape, filterShape, strides, 1, pad, dimRoundingMode);
  const { batchSize, outHeight, outWidth, inHeight, inWidth, inChannels, outChannels } = conv;
  const rows = batchSize * outHeight * outWidth;
  const out = call.output(filterShape);
  const patches = call.output([rows, inChannels]);
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
};

function identity(call: KernelCall): tf.TensorInfo {
  const { dataId, shape, dtype } = call.input('x');
  call.backend.incRef(dataId);
  return { dataId, shape, dtype };
}

function slice(call: KernelCall): tf.TensorInfo {
  const x = call.input('x');
  const { begin, size } = call.attrs as unknown as { begin: number | number[]; size: number | number[] };
  const [from, sizes] = tf.slice_util.parseSliceParams(x, begin, size) as [number[], number[]];
  tf.slice_util.assertParamsValid(x, from, sizes);
  return part(call, x, from, sizes);
}

function splitV(call: KernelCall): tf.TensorInfo[] {
  const x = call.input('x');
  const { numOrSizeSplits } = call.attrs as unknown as { numOrSizeSplits: number | number[] };
  const [axis = 0] = tf.util.parseAxisParam(call.attribute('axis'), x.shape);
  const lengths = tf.backend_util.prepareSplitSize(x, numOrSizeSplits, axis);
  let start = 0;
  return lengths.map((length) => {
    const from = x.shape.map((_, other) => (other === axis ? start : 0));
    const sizes = x.shape.map((size, other) => (other === axis ? length : size));
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

export const MISSING_KERNELS: WasmKernels = {
  GatherV2: gather,
  UnsortedSegmentSum: unsortedSegmentSum,
  Conv2DBackpropFilter: conv2DBackpropFilter,
  Identity: identity,
  Slice: slice,
  SplitV: splitV,
};
