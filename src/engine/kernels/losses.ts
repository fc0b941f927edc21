/** Kernels of softmaxCrossEntropy and maskLoss with their gradients; both keep a few sums per row for the way back. */
import * as tf from '../tf.js';
import type { KernelCall } from '../wasm-heap.js';
import { attribute, floatView, input, intView, makeFloats, registerWasmKernel, run } from '../wasm-heap.js';
import { fastExp } from './fast-math.js';
import { rowSum } from './rows.js';

/** DICE's sums are divided by this before the smoothing term is added (reference). */
const DICE_SCALE = 1000;
const DICE_EPS = 1e-6;
/** This many factors in (1, 2] have a product below 2^1000. */
const FACTORS_PER_LOGARITHM = 1000;

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
  let total = 0;
  let count = 0;
  for (let row = 0; row < rows; row++) {
    const label = labels[row] as number;
    logSums[row] = 0;
    if (label === ignoreLabel) continue;
    if (label < 0 || label >= classes) {
      throw new Error(`softmaxCrossEntropy: label ${label} of row ${row} is outside [0, ${classes}).`);
    }
    const start = row * classes;
    const logSum = logSumExp(logits, start, classes);
    logSums[row] = logSum;
    total += logSum - (logits[start + label] as number);
    count++;
  }
  floatView(backend, lossInfo)[0] = total / Math.max(count, 1);
  return [lossInfo, logSumsInfo];
}

function logSumExp(values: Float32Array, start: number, width: number): number {
  let largest = -Infinity;
  for (let i = start; i < start + width; i++) {
    const value = values[i] as number;
    if (value > largest) largest = value;
  }
  let sum = 0;
  for (let i = start; i < start + width; i++) sum += fastExp((values[i] as number) - largest);
  return largest + Math.log(sum);
}

/** dlogits = dy / count · (softmax(logits) - one-hot label), 0 in rows that are ignored. */
function crossEntropyGrad(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const logitsInfo = input(call, 'logits');
  const ignoreLabel = attribute(call, 'ignoreLabel');
  const [rows, classes] = logitsInfo.shape as [number, number];
  const out = makeFloats(backend, logitsInfo.shape);
  const logits = floatView(backend, logitsInfo);
  const labels = intView(backend, input(call, 'labels'));
  const logSums = floatView(backend, input(call, 'logSums'));
  const dlogits = floatView(backend, out);
  const dy = floatView(backend, input(call, 'dy'))[0] as number;
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
    const logSum = logSums[row] as number;
    for (let i = start; i < start + classes; i++) dlogits[i] = factor * fastExp((logits[i] as number) - logSum);
    dlogits[start + label] = (dlogits[start + label] as number) - factor;
  }
  return out;
}

/** [bce, dice, the numerator and the denominator of each DICE]. */
function maskLoss(call: KernelCall): tf.TensorInfo[] {
  const { backend } = call;
  const logitsInfo = input(call, 'logits');
  const masks = logitsInfo.shape[0] as number;
  const pixels = tf.util.sizeFromShape(logitsInfo.shape.slice(1));
  const bceInfo = makeFloats(backend, [masks]);
  const diceInfo = makeFloats(backend, [masks]);
  const partsInfo = makeFloats(backend, [masks, 2]);
  const x = floatView(backend, logitsInfo);
  const g = floatView(backend, input(call, 'targets'));
  const [bce, dice, parts] = [bceInfo, diceInfo, partsInfo].map((info) => floatView(backend, info)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  for (let mask = 0; mask < masks; mask++) {
    const end = (mask + 1) * pixels;
    let [linear, logarithms, product, factors, overlap, area] = [0, 0, 1, 0, 0, 0];
    for (let i = mask * pixels; i < end; i++) {
      const logit = x[i] as number;
      const target = g[i] as number;
      const decay = fastExp(logit < 0 ? logit : -logit);
      const inverse = 1 / (1 + decay);
      const p = logit < 0 ? decay * inverse : inverse;
      // BCE = max(x, 0) - x·g + log(1 + e^-|x|); the logarithm is taken of a product of many pixels.
      linear += (logit > 0 ? logit : 0) - logit * target;
      product *= 1 + decay;
      if (++factors === FACTORS_PER_LOGARITHM) {
        logarithms += Math.log(product);
        product = 1;
        factors = 0;
      }
      overlap += p * target;
      area += p;
    }
    const numerator = (2 * overlap) / DICE_SCALE + DICE_EPS;
    const denominator = (area + rowSum(g, mask * pixels, pixels)) / DICE_SCALE + DICE_EPS;
    bce[mask] = (linear + logarithms + Math.log(product)) / pixels;
    dice[mask] = 1 - numerator / denominator;
    parts[2 * mask] = numerator;
    parts[2 * mask + 1] = denominator;
  }
  return [bceInfo, diceInfo, partsInfo];
}

/** dlogits = dbce · (p - g) / pixels + ddice · p (1 - p) · (N/D² - 2g/D) / 1000. */
function maskLossGrad(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const logitsInfo = input(call, 'logits');
  const masks = logitsInfo.shape[0] as number;
  const pixels = tf.util.sizeFromShape(logitsInfo.shape.slice(1));
  const out = makeFloats(backend, logitsInfo.shape);
  const x = floatView(backend, logitsInfo);
  const g = floatView(backend, input(call, 'targets'));
  const parts = floatView(backend, input(call, 'parts'));
  const dbce = floatView(backend, input(call, 'dbce'));
  const ddice = floatView(backend, input(call, 'ddice'));
  const dx = floatView(backend, out);
  for (let mask = 0; mask < masks; mask++) {
    const denominator = parts[2 * mask + 1] as number;
    const bceFactor = (dbce[mask] as number) / pixels;
    const diceFactor = (ddice[mask] as number) / DICE_SCALE / denominator;
    const ratio = (parts[2 * mask] as number) / denominator;
    for (let i = mask * pixels; i < (mask + 1) * pixels; i++) {
      const logit = x[i] as number;
      const target = g[i] as number;
      const decay = fastExp(logit < 0 ? logit : -logit);
      const inverse = 1 / (1 + decay);
      const p = logit < 0 ? decay * inverse : inverse;
      const slope = decay * inverse * inverse; // p (1 - p)
      dx[i] = bceFactor * (p - target) + diceFactor * slope * (ratio - 2 * target);
    }
  }
  return out;
}

/** Registers the kernels and gradients of this file. */
export function registerLosses(): void {
  registerWasmKernel('GsvaSoftmaxCrossEntropy', crossEntropy);
  registerWasmKernel('GsvaSoftmaxCrossEntropyGrad', crossEntropyGrad);
  tf.registerGradient({
    kernelName: 'GsvaSoftmaxCrossEntropy',
    inputsToSave: ['logits', 'labels'],
    outputsToSave: [false, true],
    gradFunc: (dys, saved, attrs) => {
      const dy = (dys as tf.Tensor[])[0] as tf.Tensor;
      const [logits, labels, logSums] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
      const ignoreLabel = attrs.ignoreLabel as number;
      return { logits: () => run('GsvaSoftmaxCrossEntropyGrad', { dy, logits, labels, logSums }, { ignoreLabel }) };
    },
  });
  registerWasmKernel('GsvaMaskLoss', maskLoss);
  registerWasmKernel('GsvaMaskLossGrad', maskLossGrad);
  tf.registerGradient({
    kernelName: 'GsvaMaskLoss',
    inputsToSave: ['logits', 'targets'],
    outputsToSave: [false, false, true],
    gradFunc: (dys, saved) => {
      const [dbce, ddice] = dys as [tf.Tensor, tf.Tensor];
      const [logits, targets, parts] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
      return { logits: () => run('GsvaMaskLossGrad', { dbce, ddice, logits, targets, parts }) };
    },
  });
}
