/** Kernels of softmaxCrossEntropy and maskLoss with their gradients; both keep a few sums per row for the gradient. */
import { vectorKernels } from '../simd/vector-kernels.js';
import { FLOAT_BYTES, rowsOf } from '../wasm-heap.js';
import type { WasmKernels } from './matmul.js';

/** DICE's sums are divided by this before the smoothing term is added (reference). */
const DICE_SCALE = 1000;
const DICE_EPS = 1e-6;
/** Pixels per sum in float32; these sums are added up in float64. */
const PIXELS_PER_SUM = 4096;

export const LOSS_KERNELS: WasmKernels = {
  /** [loss, log of each row's sum of exponentials]; rows to be ignored are not read. */
  GsvaSoftmaxCrossEntropy: (call) => {
    const { rows, width: classes } = rowsOf(call.input('logits').shape);
    const ignoreLabel = call.attribute('ignoreLabel');
    const outputs = [call.output([]), call.output([rows])] as const;
    const [loss, logSums] = [call.floats(outputs[0]), call.floats(outputs[1])];
    const [logits, labels] = [call.floats('logits'), call.integers('labels')];
    const { largest, sumOfExp } = vectorKernels(call.backend);
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
    loss[0] = total / Math.max(count, 1);
    return [...outputs];
  },

  /** dlogits = dy / count · (softmax(logits) - one-hot label), 0 in rows that are ignored. */
  GsvaSoftmaxCrossEntropyGrad: (call) => {
    const { shape } = call.input('logits');
    const { rows, width: classes } = rowsOf(shape);
    const ignoreLabel = call.attribute('ignoreLabel');
    const out = call.output(shape);
    const [logits, labels] = [call.pointer('logits'), call.integers('labels')];
    const [logSums, dlogits, dy] = [call.floats('logSums'), call.floats(out), call.floats('dy')[0] as number];
    const { scaledExp } = vectorKernels(call.backend);
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
  },

  /** [bce, dice, the numerator and the denominator of each DICE]. */
  GsvaMaskLoss: (call) => {
    const { masks, pixels } = sizesOf(call.input('logits').shape);
    const outputs = [call.output([masks]), call.output([masks]), call.output([masks, 2])] as const;
    const scratch = call.output([16]);
    const [x, g, partial] = [call.pointer('logits'), call.pointer('targets'), call.floats(scratch)];
    const [bce, dice, parts] = [call.floats(outputs[0]), call.floats(outputs[1]), call.floats(outputs[2])];
    const { maskLossSums } = vectorKernels(call.backend);
    for (let mask = 0; mask < masks; mask++) {
      const sums: [number, number, number, number] = [0, 0, 0, 0]; // BCE, p·g, p, g
      for (let first = 0; first < pixels; first += PIXELS_PER_SUM) {
        const skipped = (mask * pixels + first) * FLOAT_BYTES;
        maskLossSums(x + skipped, g + skipped, Math.min(PIXELS_PER_SUM, pixels - first), partial.byteOffset);
        for (let i = 0; i < 16; i++) sums[i >> 2] = (sums[i >> 2] as number) + (partial[i] as number);
      }
      const [loss, overlap, area, targetArea] = sums;
      const numerator = (2 * overlap) / DICE_SCALE + DICE_EPS;
      const denominator = (area + targetArea) / DICE_SCALE + DICE_EPS;
      bce[mask] = loss / pixels;
      dice[mask] = 1 - numerator / denominator;
      parts[2 * mask] = numerator;
      parts[2 * mask + 1] = denominator;
    }
    call.backend.disposeData(scratch.dataId);
    return [...outputs];
  },

  /** dlogits = dbce · (p - g) / pixels + ddice · p (1 - p) · (N/D² - 2g/D) / 1000. */
  GsvaMaskLossGrad: (call) => {
    const { shape } = call.input('logits');
    const { masks, pixels } = sizesOf(shape);
    const out = call.output(shape);
    const [x, g, dx] = [call.pointer('logits'), call.pointer('targets'), call.pointer(out)];
    const [parts, dbce, ddice] = [call.floats('parts'), call.floats('dbce'), call.floats('ddice')];
    const { maskLossGrad } = vectorKernels(call.backend);
    for (let mask = 0; mask < masks; mask++) {
      const skipped = mask * pixels * FLOAT_BYTES;
      const denominator = parts[2 * mask + 1] as number;
      const bceFactor = (dbce[mask] as number) / pixels;
      const diceFactor = (ddice[mask] as number) / DICE_SCALE / denominator;
      const ratio = (parts[2 * mask] as number) / denominator;
      maskLossGrad(x + skipped, g + skipped, dx + skipped, pixels, bceFactor, diceFactor, ratio);
    }
    return out;
  },
};

/** [Q, H, W] → Q masks of H·W pixels. */
function sizesOf([masks = 0, ...sides]: readonly number[]): { masks: number; pixels: number } {
  return { masks, pixels: sides.reduce((product, side) => product * side, 1) };
}
