/**
 * The fused operations as kernels of backends without their own: the formulas of `composites.ts`, and their gradients
 * as formulas too. A kernel leaves only the inputs of its gradient on the tape, where the formula alone would leave
 * every step: a tenth of the memory and fewer operations backwards.
 */
import * as composites from './composites.js';
import { registerFusedGradients } from './fused-gradients.js';
import * as tf from './tf.js';
import { findKernel } from './wasm-heap.js';

/** Inputs and attributes by name; each formula is given those of its kernel. */
type InputName = 'x' | 'w' | 'dy' | 'gamma' | 'beta' | 'gate' | 'up' | 'y' | 'logSums' | 'parts' | 'dbce' | 'ddice';
type Inputs = Readonly<Record<InputName, tf.Tensor>> & {
  readonly w: tf.Tensor2D;
  readonly bias?: tf.Tensor1D;
  readonly scores: tf.Tensor4D;
  readonly keyLengths?: tf.Tensor1D;
  /** [N, V], or [Q, H, W] of masks. */
  readonly logits: tf.Tensor2D;
  readonly targets: tf.Tensor3D;
  readonly labels: tf.Tensor1D;
  readonly cos: tf.Tensor2D;
  readonly sin: tf.Tensor2D;
};
type Attributes = Readonly<Record<'eps' | 'scale' | 'causalOffset' | 'ignoreLabel' | 'direction', number>>;
type Formula = (inputs: Inputs, attrs: Attributes) => tf.Tensor | tf.Tensor[];

const FORMULAS: Readonly<Record<string, Formula>> = {
  GsvaLinear: ({ x, w, bias = null }) => composites.linearComposite(x, w, bias),
  /** dx = dy · wᵀ */
  GsvaLinearGradX: ({ dy, w }) =>
    tf.reshape(tf.matMul(composites.asMatrix(dy), w, false, true), [...dy.shape.slice(0, -1), w.shape[0]]),
  /** dw = xᵀ · dy, over all rows */
  GsvaLinearGradW: ({ x, dy }) => tf.matMul(composites.asMatrix(x), composites.asMatrix(dy), true, false),
  GsvaColumnSum: ({ x }) => tf.sum(composites.asMatrix(x), 0),

  GsvaLayerNorm: ({ x, gamma, beta }, { eps }) => composites.layerNormComposite(x, gamma, beta, eps),
  /** dx = (g - mean g - x̂ · mean(g · x̂)) / σ with g = dy · γ */
  GsvaLayerNormGradX: ({ x, gamma, dy }, { eps }) => {
    const { normed, inverse } = composites.layerNormParts(x, eps);
    const g = tf.mul(dy, gamma);
    const along = tf.mean(tf.mul(g, normed), -1, true);
    return tf.mul(tf.sub(tf.sub(g, tf.mean(g, -1, true)), tf.mul(normed, along)), inverse);
  },
  GsvaLayerNormGradGamma: ({ x, dy }, { eps }) =>
    tf.sum(composites.asMatrix(tf.mul(dy, composites.layerNormParts(x, eps).normed)), 0),
  GsvaRmsNorm: ({ x, gamma }, { eps }) => composites.rmsNormComposite(x, gamma, eps),
  /** dx = (g - x̂ · mean(g · x̂)) / rms with g = dy · γ */
  GsvaRmsNormGradX: ({ x, gamma, dy }, { eps }) => {
    const { normed, inverse } = composites.rmsNormParts(x, eps);
    const g = tf.mul(dy, gamma);
    return tf.mul(tf.sub(g, tf.mul(normed, tf.mean(tf.mul(g, normed), -1, true))), inverse);
  },
  GsvaRmsNormGradGamma: ({ x, dy }, { eps }) =>
    tf.sum(composites.asMatrix(tf.mul(dy, composites.rmsNormParts(x, eps).normed)), 0),

  GsvaGelu: ({ x }) => composites.geluComposite(x),
  /** Φ(x) + x · φ(x), the normal distribution and its density */
  GsvaGeluGrad: ({ x, dy }) => {
    const distribution = tf.tidy(() => tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5));
    const density = tf.tidy(() => tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI)));
    return tf.mul(dy, tf.add(distribution, tf.mul(x, density)));
  },
  GsvaQuickGelu: ({ x }) => composites.quickGeluComposite(x),
  GsvaQuickGeluGrad: ({ x, dy }) => tf.mul(dy, slopeOfSwish(x, 1.702)),
  GsvaSilu: ({ x }) => composites.siluComposite(x),
  GsvaSiluGrad: ({ x, dy }) => tf.mul(dy, slopeOfSwish(x, 1)),
  GsvaSiluMul: ({ gate, up }) => composites.siluMulComposite(gate, up),
  GsvaSiluMulGradGate: ({ gate, up, dy }) => tf.mul(tf.mul(dy, up), slopeOfSwish(gate, 1)),

  GsvaMaskedSoftmax: ({ scores, keyLengths = null }, { scale, causalOffset }) => {
    // A limit that hides nothing need not be applied.
    const limit = causalOffset >= scores.shape[3] - 1 ? null : causalOffset;
    return composites.maskedSoftmaxComposite(scores, scale, limit, keyLengths);
  },
  /** dscores = scale · y · (dy - Σ dy · y); hidden keys have y = 0 */
  GsvaMaskedSoftmaxGrad: ({ y, dy }, { scale }) => {
    const weighted = tf.mul(dy, y);
    const gradient = tf.sub(weighted, tf.mul(y, tf.sum(weighted, -1, true)));
    return scale === 1 ? gradient : tf.mul(gradient, scale);
  },

  GsvaSoftmaxCrossEntropy: ({ logits, labels }, { ignoreLabel }) => {
    return [composites.softmaxCrossEntropyComposite(logits, labels, ignoreLabel), tf.logSumExp(logits, -1)];
  },
  /** dlogits = dy / count · (softmax(logits) - one-hot label), 0 in rows that are ignored */
  GsvaSoftmaxCrossEntropyGrad: ({ logits, labels, logSums, dy }, { ignoreLabel }) => {
    const { supervised, isLabel } = composites.supervision(labels, ignoreLabel, logits.shape[1]);
    const factor = tf.div(dy, tf.maximum(tf.sum(tf.cast(supervised, 'float32')), 1));
    const difference = tf.tidy(() => {
      const probabilities = tf.exp(tf.sub(logits, tf.expandDims(logSums, -1)));
      return tf.sub(probabilities, tf.cast(isLabel, 'float32'));
    });
    const isUsed = tf.broadcastTo(tf.expandDims(supervised, 1), difference.shape);
    return tf.where(isUsed, tf.mul(difference, factor), tf.zerosLike(logits));
  },

  GsvaMaskLoss: ({ logits, targets }) => {
    const { bce, dice, parts } = composites.maskLossComposite(logits as tf.Tensor as tf.Tensor3D, targets);
    return [bce, dice, parts];
  },
  /** dlogits = dbce · (p - g) / pixels + ddice · p (1 - p) · (N/D² - 2g/D) / 1000 */
  GsvaMaskLossGrad: ({ logits, targets: g, parts, dbce, ddice }) => {
    const [masks = 0, height = 0, width = 0] = logits.shape as number[];
    const perMask = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [masks, 1, 1]);
    const [numerator, denominator] = tf.split(parts, 2, 1).map(perMask) as [tf.Tensor, tf.Tensor];
    const p = tf.sigmoid(logits);
    const bce = tf.tidy(() => tf.mul(tf.sub(p, g), tf.div(perMask(dbce), height * width)));
    // (N/D² - 2g/D) / 1000 = (N/D - 2g) / (1000 D)
    const factor = tf.div(perMask(ddice), tf.mul(denominator, 1000));
    const slope = tf.tidy(() => tf.mul(tf.sub(tf.div(numerator, denominator), tf.mul(g, 2)), factor));
    const dice = tf.tidy(() => tf.mul(tf.mul(p, tf.sub(1, p)), slope));
    return tf.add(bce, dice);
  },

  GsvaRotary: ({ x, cos, sin }, { direction }) => {
    // The two halves of sin hold the same angles, so the transposed rotation is the one by the negative angles.
    return composites.rotaryComposite(x as tf.Tensor4D, cos, direction === 1 ? sin : tf.neg(sin));
  },
};

/** Kernels of this file: a profile counts their operations, not them. */
export const COMPOSITE_KERNELS: ReadonlySet<string> = new Set(Object.keys(FORMULAS));

/** May be called again. */
export function registerCompositeKernels(backendName: string): void {
  for (const [kernelName, formula] of Object.entries(FORMULAS)) {
    if (findKernel(kernelName, backendName) !== undefined) continue;
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) =>
        tf.tidy(() => formula(inputs as unknown as Inputs, attrs as unknown as Attributes)),
    });
  }
  registerFusedGradients();
}

/** d/dx of x · s with s = sigmoid(a·x): s + a·x·s·(1 - s) = s · (1 + a·x·(1 - s)). */
function slopeOfSwish(x: tf.Tensor, a: number): tf.Tensor {
  const s = tf.sigmoid(a === 1 ? x : tf.mul(x, a));
  const rest = tf.mul(a === 1 ? x : tf.mul(x, a), tf.sub(1, s));
  return tf.mul(s, tf.add(rest, 1));
}
