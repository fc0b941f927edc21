/** Gradients of the fused operations, equal on every backend; only requested ones, so frozen weights cost nothing. */
import * as tf from './tf.js';

type Attributes = Readonly<Record<string, number>>;
type Gradient = Readonly<Record<string, () => tf.Tensor>>;

interface GradientDefinition {
  readonly keepInputs?: string[];
  /** Per output of the kernel, whether it is kept. */
  readonly keepOutputs?: boolean[];
  /** @param saved inputs in the order of `keepInputs`, then outputs */
  readonly of: (dys: readonly tf.Tensor[], saved: readonly tf.Tensor[], attrs: Attributes) => Gradient;
}

const GRADIENTS: Readonly<Record<string, GradientDefinition>> = {
  GsvaLinear: {
    keepInputs: ['x', 'w'],
    of: ([dy], [x, w]) => ({
      x: () => run('GsvaLinearGradX', { dy, w }),
      w: () => run('GsvaLinearGradW', { dy, x }),
      bias: () => run('GsvaColumnSum', { x: dy }),
    }),
  },
  GsvaLayerNorm: {
    keepInputs: ['x', 'gamma'],
    of: ([dy], [x, gamma], { eps = 0 }) => ({
      x: () => run('GsvaLayerNormGradX', { x, gamma, dy }, { eps }),
      gamma: () => shapedAs(gamma, run('GsvaLayerNormGradGamma', { x, dy }, { eps })),
      beta: () => shapedAs(gamma, run('GsvaColumnSum', { x: dy })),
    }),
  },
  GsvaRmsNorm: {
    keepInputs: ['x', 'gamma'],
    of: ([dy], [x, gamma], { eps = 0 }) => ({
      x: () => run('GsvaRmsNormGradX', { x, gamma, dy }, { eps }),
      gamma: () => shapedAs(gamma, run('GsvaRmsNormGradGamma', { x, dy }, { eps })),
    }),
  },
  GsvaGelu: unary('GsvaGeluGrad'),
  GsvaQuickGelu: unary('GsvaQuickGeluGrad'),
  GsvaSilu: unary('GsvaSiluGrad'),
  GsvaSiluMul: {
    keepInputs: ['gate', 'up'],
    of: ([dy], [gate, up]) => ({
      gate: () => run('GsvaSiluMulGradGate', { gate, up, dy }),
      up: () => run('GsvaSiluMul', { gate, up: dy }),
    }),
  },
  GsvaMaskedSoftmax: {
    keepOutputs: [true],
    of: ([dy], [y], { scale = 1 }) => ({ scores: () => run('GsvaMaskedSoftmaxGrad', { y, dy }, { scale }) }),
  },
  GsvaSoftmaxCrossEntropy: {
    keepInputs: ['logits', 'labels'],
    keepOutputs: [false, true],
    of: ([dy], [logits, labels, logSums], { ignoreLabel = 0 }) => ({
      logits: () => run('GsvaSoftmaxCrossEntropyGrad', { dy, logits, labels, logSums }, { ignoreLabel }),
    }),
  },
  GsvaMaskLoss: {
    keepInputs: ['logits', 'targets'],
    keepOutputs: [false, false, true],
    of: ([dbce, ddice], [logits, targets, parts]) => ({
      logits: () => run('GsvaMaskLossGrad', { dbce, ddice, logits, targets, parts }),
    }),
  },
  GsvaRotary: {
    keepInputs: ['cos', 'sin'],
    of: ([dy], [cos, sin]) => ({ x: () => run('GsvaRotary', { x: dy, cos, sin }, { direction: -1 }) }),
  },
};

export function registerFusedGradients(): void {
  for (const [kernelName, { keepInputs = [], keepOutputs = [], of }] of Object.entries(GRADIENTS)) {
    tf.registerGradient({
      kernelName,
      inputsToSave: keepInputs,
      outputsToSave: keepOutputs,
      gradFunc: (dys, saved, attrs) => of(Array.isArray(dys) ? dys : [dys], saved, attrs as unknown as Attributes),
    });
  }
}

function unary(kernel: string): GradientDefinition {
  return { keepInputs: ['x'], of: ([dy], [x]) => ({ x: () => run(kernel, { x, dy }) }) };
}

function run(kernel: string, inputs: Record<string, tf.Tensor | undefined>, attrs: Attributes = {}): tf.Tensor {
  return tf.engine().runKernel(kernel, inputs as Record<string, tf.Tensor>, { ...attrs });
}

function shapedAs(like: tf.Tensor | undefined, x: tf.Tensor): tf.Tensor {
  return tf.reshape(x, like?.shape ?? x.shape);
}
