/** Kernels of softmaxCrossEntropy and maskLoss with their gradients; both keep a few sums per row for the gradient. */
import { vectorKernels } from '../simd/vector-kernels.js';
import * as tf from '../tf.js';
import {
  type KernelCall,
  attribute,
  floatView,
  input,
  intView,
  makeFloats,
  pointer,
  registerWasmKernel,
} from '../wasm-heap.js';

/** DICE's sums are divided by this before the smoothing term is added (reference). */
const DICE_SCALE = 1000;
const DICE_EPS = 1e-6;
/** Pixels per sum in float32; these sums are added up in float64. */
const PIXELS_PER_SUM = 4096;
const FLOAT_BYTES = 4;

type Three<T> = [T, T, T];

/** [loss, log of each row's sum of exponentials]; rows to be ignored are not read. */
function crossEntropy(call: KernelCall): tf.TensorInfo[] {
  const { backend } = call;
  const logitsInfo = input(call, 'logits');
  const ignoreLabel = attribute(call, 'ignoreLabel');
  const [rows, classes] = logitsInfo.shape as [number, number];
  const lossInfo = makeFloats(backend, []);
  const logSumsInfo = makeFloats(backend, [rows]);
  const logits = floatView(backend, logitsInfo);
  const labels = intView(backend, input(call, 'labels'));
  const logSums = floatView(backend, logSumsInfo);
  const { largest, sumOfExp } = vectorKernels(backend);
  let total = 0;
  let count = 0;
  for (let row = 0; row < rows; row++) {
    const label = labels[row] as number;
    logSums[row] = 0;
    if (label === ignoreLabel) continue;
    if (label < 0 || label >= classes) {
      throw new Error(`softmaxCrossEntropy: label ${label} of row ${row} is outside [0, ${classes}).`);
    }
    const start = logits.byteOffset + row * classes * FLOAT_BYTES;
    const shift = largest(start, classes);
    const logSum = shift + Math.log(sumOfExp(start, classes, shift));
    logSums[row] = logSum;
    total += logSum - (logits[row * classes + label] as number);
    count++;
  }
  floatView(backend, lossInfo)[0] = total / Math.max(count, 1);
  return [lossInfo, logSumsInfo];
}

/** dlogits = dy / count · (softmax(logits) - one-hot label), 0 in rows that are ignored. */
function crossEntropyGrad(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const logitsInfo = input(call, 'logits');
  const ignoreLabel = attribute(call, 'ignoreLabel');
  const [rows, classes] = logitsInfo.shape as [number, number];
  const out = makeFloats(backend, logitsInfo.shape);
  const logits = pointer(backend, logitsInfo);
  const labels = intView(backend, input(call, 'labels'));
  const logSums = floatView(backend, input(call, 'logSums'));
  const dlogits = floatView(backend, out);
  const dy = floatView(backend, input(call, 'dy'))[0] as number;
  const { scaledExp } = vectorKernels(backend);
  let count = 0;
  for (const label of labels) if (label !== ignoreLabel) count++;
  const factor = dy / Math.max(count, 1);
  for (let row = 0; row < rows; row++) {
    const start = row * classes;
    const label = labels[row] as number;
    if (label === ignoreLabel) {
      dlogits.fill(0, start, start + classes);
      continue;
    }
    const skipped = start * FLOAT_BYTES;
    scaledExp(logits + skipped, dlogits.byteOffset + skipped, classes, logSums[row] as number, factor);
    dlogits[start + label] = (dlogits[start + label] as number) - factor;
  }
  return out;
}

/** [bce, dice, the numerator and the denominator of each DICE]. */
function maskLoss(call: KernelCall): tf.TensorInfo[] {
  const { backend } = call;
  const logits = input(call, 'logits');
  const masks = logits.shape[0] as number;
  const pixels = tf.util.sizeFromShape(logits.shape.slice(1));
  const outputs = [makeFloats(backend, [masks]), makeFloats(backend, [masks]), makeFloats(backend, [masks, 2])];
  const scratch = makeFloats(backend, [16]);
  const [x, g] = [pointer(backend, logits), pointer(backend, input(call, 'targets'))];
  const [bce, dice, parts] = outputs.map((info) => floatView(backend, info)) as Three<Float32Array>;
  const partial = floatView(backend, scratch);
  const { maskLossSums } = vectorKernels(backend);
  for (let mask = 0; mask < masks; mask++) {
    const sums = [0, 0, 0, 0]; // BCE, p·g, p, g
    for (let first = 0; first < pixels; first += PIXELS_PER_SUM) {
      const skipped = (mask * pixels + first) * FLOAT_BYTES;
      maskLossSums(x + skipped, g + skipped, Math.min(PIXELS_PER_SUM, pixels - first), partial.byteOffset);
      for (let i = 0; i < 16; i++) sums[i >> 2] = (sums[i >> 2] as number) + (partial[i] as number);
    }
    const [loss, overlap, area, targetArea] = sums as [number, number, number, number];
    const numerator = (2 * overlap) / DICE_SCALE + DICE_EPS;
    const denominator = (area + targetArea) / DICE_SCALE + DICE_EPS;
    bce[mask] = loss / pixels;
    dice[mask] = 1 - numerator / denominator;
    parts[2 * mask] = numerator;
    parts[2 * mask + 1] = denominator;
  }
  backend.disposeData(scratch.dataId);
  return outputs;
}

/** dlogits = dbce · (p - g) / pixels + ddice · p (1 - p) · (N/D² - 2g/D) / 1000. */
function maskLossGrad(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const logits = input(call, 'logits');
  const masks = logits.shape[0] as number;
  const pixels = tf.util.sizeFromShape(logits.shape.slice(1));
  const out = makeFloats(backend, logits.shape);
  const [x, g, dx] = [logits, input(call, 'targets'), out].map((info) => pointer(backend, info)) as Three<number>;
  const [parts, dbce, ddice] = ['parts', 'dbce', 'ddice'].map((name) =>
    floatView(backend, input(call, name)),
  ) as Three<Float32Array>;
  const { maskLossGrad: compute } = vectorKernels(backend);
  for (let mask = 0; mask < masks; mask++) {
    const skipped = mask * pixels * FLOAT_BYTES;
    const denominator = parts[2 * mask + 1] as number;
    const bceFactor = (dbce[mask] as number) / pixels;
    const diceFactor = (ddice[mask] as number) / DICE_SCALE / denominator;
    const ratio = (parts[2 * mask] as number) / denominator;
    compute(x + skipped, g + skipped, dx + skipped, pixels, bceFactor, diceFactor, ratio);
  }
  return out;
}

export function registerLosses(): void {
  registerWasmKernel('GsvaSoftmaxCrossEntropy', crossEntropy);
  registerWasmKernel('GsvaSoftmaxCrossEntropyGrad', crossEntropyGrad);
  registerWasmKernel('GsvaMaskLoss', maskLoss);
  registerWasmKernel('GsvaMaskLossGrad', maskLossGrad);
}
