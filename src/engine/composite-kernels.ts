/**
 * The fused operations as kernels of backends without their own: the formulas of `composites.ts`, and their gradients
 * as formulas too. A kernel leaves only the inputs of its gradient on the tape, where the formula alone would leave
 * every step: a tenth of the memory and fewer operations backwards.
 */
import * as composites from './composites.js';
import { registerFusedGradients } from './fused-gradients.js';
import * as tf from './tf.js';
import { findKernel } from './wasm-heap.js';

interface Call {
  readonly input: (name: string) => tf.Tensor;
  readonly optional: (name: string) => tf.Tensor | null;
  readonly attribute: (name: string) => number;
}

type Formula = (call: Call) => tf.Tensor | tf.Tensor[];

const FORMULAS: Readonly<Record<string, Formula>> = {
  GsvaLinear: ({ input, optional }) => {
    return composites.linearComposite(input('x'), matrix(input('w')), optional('bias') as tf.Tensor1D | null);
  },
  /** dx = dy · wᵀ */
  GsvaLinearGradX: ({ input }) => {
    const [dy, w] = [input('dy'), input('w')];
    const [inner = 0] = w.shape;
    return tf.reshape(tf.matMul(rowsOf(dy), matrix(w), false, true), [...dy.shape.slice(0, -1), inner]);
  },
  /** dw = xᵀ · dy, over all rows */
  GsvaLinearGradW: ({ input }) => tf.matMul(rowsOf(input('x')), rowsOf(input('dy')), true, false),
  GsvaColumnSum: ({ input }) => tf.sum(rowsOf(input('x')), 0),

  GsvaLayerNorm: ({ input, attribute }) =>
    composites.layerNormComposite(input('x'), input('gamma'), input('beta'), attribute('eps')),
  /** dx = (g - mean g - x̂ · mean(g · x̂)) / σ with g = dy · γ */
  GsvaLayerNormGradX: ({ input, attribute }) => {
    const { normed, inverse } = layerNormParts(input('x'), attribute('eps'));
    const g = tf.mul(input('dy'), input('gamma'));
    const along = tf.mean(tf.mul(g, normed), -1, true);
    return tf.mul(tf.sub(tf.sub(g, tf.mean(g, -1, true)), tf.mul(normed, along)), inverse);
  },
  GsvaLayerNormGradGamma: ({ input, attribute }) => {
    const { normed } = layerNormParts(input('x'), attribute('eps'));
    return tf.sum(rowsOf(tf.mul(input('dy'), normed)), 0);
  },
  GsvaRmsNorm: ({ input, attribute }) => composites.rmsNormComposite(input('x'), input('gamma'), attribute('eps')),
  /** dx = (g - x̂ · mean(g · x̂)) / rms with g = dy · γ */
  GsvaRmsNormGradX: ({ input, attribute }) => {
    const { normed, inverse } = rmsNormParts(input('x'), attribute('eps'));
    const g = tf.mul(input('dy'), input('gamma'));
    return tf.mul(tf.sub(g, tf.mul(normed, tf.mean(tf.mul(g, normed), -1, true))), inverse);
  },
  GsvaRmsNormGradGamma: ({ input, attribute }) => {
    const { normed } = rmsNormParts(input('x'), attribute('eps'));
    return tf.sum(rowsOf(tf.mul(input('dy'), normed)), 0);
  },

  GsvaGelu: ({ input }) => composites.geluComposite(input('x')),
  /** Φ(x) + x · φ(x), the normal distribution and its density */
  GsvaGeluGrad: ({ input }) => {
    const x = input('x');
    const distribution = tf.tidy(() => tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5));
    const density = tf.tidy(() => tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI)));
    return tf.mul(input('dy'), tf.add(distribution, tf.mul(x, density)));
  },
  GsvaQuickGelu: ({ input }) => composites.quickGeluComposite(input('x')),
  GsvaQuickGeluGrad: ({ input }) => tf.mul(input('dy'), slopeOfSwish(input('x'), 1.702)),
  GsvaSilu: ({ input }) => composites.siluComposite(input('x')),
  GsvaSiluGrad: ({ input }) => tf.mul(input('dy'), slopeOfSwish(input('x'), 1)),
  GsvaSiluMul: ({ input }) => composites.siluMulComposite(input('gate'), input('up')),
  GsvaSiluMulGradGate: ({ input }) => tf.mul(tf.mul(input('dy'), input('up')), slopeOfSwish(input('gate'), 1)),

  GsvaMaskedSoftmax: ({ input, optional, attribute }) => {
    const scores = input('scores') as tf.Tensor4D;
    const [, , , keys] = scores.shape;
    const offset = attribute('causalOffset');
    // A limit that hides nothing need not be applied.
    const causalOffset = offset >= keys - 1 ? null : offset;
    const keyLengths = optional('keyLengths') as tf.Tensor1D | null;
    return composites.maskedSoftmaxComposite(scores, attribute('scale'), causalOffset, keyLengths);
  },
  /** dscores = scale · y · (dy - Σ dy · y); hidden keys have y = 0 */
  GsvaMaskedSoftmaxGrad: ({ input, attribute }) => {
    const y = input('y');
    const weighted = tf.mul(input('dy'), y);
    const sum = tf.sum(weighted, -1, true);
    const gradient = tf.sub(weighted, tf.mul(y, sum));
    const scale = attribute('scale');
    return scale === 1 ? gradient : tf.mul(gradient, scale);
  },

  GsvaSoftmaxCrossEntropy: ({ input, attribute }) => {
    const [logits, labels] = [input('logits') as tf.Tensor2D, input('labels') as tf.Tensor1D];
    const loss = composites.softmaxCrossEntropyComposite(logits, labels, attribute('ignoreLabel'));
    return [loss, tf.logSumExp(logits, -1)];
  },
  /** dlogits = dy / count · (softmax(logits) - one-hot label), 0 in rows that are ignored */
  GsvaSoftmaxCrossEntropyGrad: ({ input, attribute }) => {
    const [logits, labels] = [input('logits') as tf.Tensor2D, input('labels') as tf.Tensor1D];
    const { supervised, isLabel } = composites.supervision(labels, attribute('ignoreLabel'), logits.shape[1]);
    const factor = tf.div(input('dy'), tf.maximum(tf.sum(tf.cast(supervised, 'float32')), 1));
    const difference = tf.tidy(() => {
      const probabilities = tf.exp(tf.sub(logits, tf.expandDims(input('logSums'), -1)));
      return tf.sub(probabilities, tf.cast(isLabel, 'float32'));
    });
    const isUsed = tf.broadcastTo(tf.expandDims(supervised, 1), difference.shape);
    return tf.where(isUsed, tf.mul(difference, factor), tf.zerosLike(logits));
  },

  GsvaMaskLoss: ({ input }) => {
    const { bce, dice, parts } = composites.maskLossComposite(
      input('logits') as tf.Tensor3D,
      input('targets') as tf.Tensor3D,
    );
    return [bce, dice, parts];
  },
  /** dlogits = dbce · (p - g) / pixels + ddice · p (1 - p) · (N/D² - 2g/D) / 1000 */
  GsvaMaskLossGrad: ({ input }) => {
    const logits = input('logits');
    const [masks = 0, height = 0, width = 0] = logits.shape;
    const perMask = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [masks, 1, 1]);
    const [numerator, denominator] = tf.split(input('parts'), 2, 1).map(perMask) as [tf.Tensor, tf.Tensor];
    const p = tf.sigmoid(logits);
    const g = input('targets');
    const bce = tf.tidy(() => tf.mul(tf.sub(p, g), tf.div(perMask(input('dbce')), height * width)));
    // (N/D² - 2g/D) / 1000 = (N/D - 2g) / (1000 D)
    const factor = tf.div(perMask(input('ddice')), tf.mul(denominator, 1000));
    const slope = tf.tidy(() => tf.mul(tf.sub(tf.div(numerator, denominator), tf.mul(g, 2)), factor));
    return tf.add(
      bce,
      tf.tidy(() => tf.mul(tf.mul(p, tf.sub(1, p)), slope)),
    );
  },

  GsvaRotary: ({ input, attribute }) => {
    const [x, cos, sin] = [input('x') as tf.Tensor4D, input('cos') as tf.Tensor2D, input('sin') as tf.Tensor2D];
    // The two halves of sin hold the same angles, so the transposed rotation is the one by the negative angles.
    return composites.rotaryComposite(x, cos, attribute('direction') === 1 ? sin : tf.neg(sin));
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
      kernelFunc: ({ inputs, attrs }) => {
        const given = inputs as Readonly<Record<string, tf.Tensor | undefined>>;
        return tf.tidy(() => formula(callOf(kernelName, given, attrs as unknown as Readonly<Record<string, number>>)));
      },
    });
  }
  registerFusedGradients();
}

function callOf(
  kernel: string,
  inputs: Readonly<Record<string, tf.Tensor | undefined>>,
  attrs: Readonly<Record<string, number>>,
): Call {
  const present = <T>(value: T | undefined, what: string, name: string): T => {
    if (value === undefined) throw new Error(`${kernel} was called without its ${what} '${name}'.`);
    return value;
  };
  return {
    input: (name) => present(inputs[name], 'input', name),
    optional: (name) => inputs[name] ?? null,
    attribute: (name) => present(attrs[name], 'attribute', name),
  };
}

/** [..., D] → [rows, D] */
function rowsOf(x: tf.Tensor): tf.Tensor2D {
  const width = x.shape.at(-1) ?? 1;
  return x.rank === 2 ? (x as tf.Tensor2D) : tf.reshape(x, [x.size / Math.max(width, 1), width]);
}

function matrix(x: tf.Tensor): tf.Tensor2D {
  return x as tf.Tensor2D;
}

/** x̂ and 1/σ of each row. */
function layerNormParts(x: tf.Tensor, eps: number): { normed: tf.Tensor; inverse: tf.Tensor } {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), eps));
  return { normed: tf.mul(centred, inverse), inverse };
}

/** x̂ and 1/rms of each row. */
function rmsNormParts(x: tf.Tensor, eps: number): { normed: tf.Tensor; inverse: tf.Tensor } {
  const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), eps));
  return { normed: tf.mul(x, inverse), inverse };
}

/** d/dx of x · s with s = sigmoid(a·x): s + a·x·s·(1 - s) = s · (1 + a·x·(1 - s)). */
function slopeOfSwish(x: tf.Tensor, a: number): tf.Tensor {
  const s = tf.sigmoid(a === 1 ? x : tf.mul(x, a));
  const rest = tf.mul(a === 1 ? x : tf.mul(x, a), tf.sub(1, s));
  return tf.mul(s, tf.add(rest, 1));
}
