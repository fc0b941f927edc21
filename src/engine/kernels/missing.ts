/** Kernels that tfjs's WASM backend lacks and training needs. */
import * as tf from '../tf.js';
import type { KernelCall } from '../wasm-heap.js';
import { floatView, input, intView, makeFloats, offsetOf, registerWasmKernel, withShape } from '../wasm-heap.js';
import type { MatMulEngine } from './matmul.js';
import { matMul } from './matmul.js';

/** The gradient of gather: out[s] = Σ x[i] over segmentIds[i] = s; negative ids are dropped. */
function unsortedSegmentSum(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const xInfo = input(call, 'x');
  const idsInfo = input(call, 'segmentIds');
  const { numSegments } = call.attrs as unknown as { numSegments: number };
  const inner = xInfo.shape.slice(idsInfo.shape.length);
  const width = tf.util.sizeFromShape(inner);
  const out = backend.makeOutput([numSegments, ...inner], xInfo.dtype);
  const view = xInfo.dtype === 'int32' ? intView : floatView;
  const x = view(backend, xInfo);
  const ids = intView(backend, idsInfo);
  const sums = view(backend, out).fill(0);
  for (let i = 0; i < ids.length; i++) {
    const segment = ids[i] as number;
    if (segment < 0) continue;
    if (segment >= numSegments) throw new Error(`unsortedSegmentSum: id ${segment} is not below ${numSegments}.`);
    const [from, to] = [i * width, segment * width];
    for (let j = 0; j < width; j++) sums[to + j] = (sums[to + j] as number) + (x[from + j] as number);
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
      const start = (fy * conv.filterWidth + fx) * inChannels * outChannels * 4;
      const from = offsetOf(backend, dw);
      const bytes = backend.wasm.HEAPU8;
      bytes.copyWithin(offsetOf(backend, out) + start, from, from + inChannels * outChannels * 4);
      backend.disposeData(dw.dataId);
    }
  }
  backend.disposeData(patches.dataId);
  return out;
}

/** Registers the kernels of this file. */
export function registerMissing(engine: MatMulEngine): void {
  registerWasmKernel('UnsortedSegmentSum', unsortedSegmentSum);
  registerWasmKernel('Conv2DBackpropFilter', (call) => conv2DBackpropFilter(engine, call));
}
